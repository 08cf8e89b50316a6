// The config of a pre-trained decoder, from config.json or GGUF metadata.
// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <numbers>

#include "checkpoint/internal.h"
#include "json/json_document.h"

namespace tenon::checkpoint {
namespace {

bool supported(std::string_view architecture) {
  return architecture == "llama" || architecture == "qwen2" || architecture == "qwen3";
}

// rope_scaling of older files, rope_parameters of newer ones (which also holds rope_theta).
void read_hf_rope(const json::Ref& root, Config& config) {
  config.rope_theta = root.number_or("rope_theta", config.rope_theta);
  const bool newer = root.find("rope_parameters").has_value();
  const auto rope = newer ? root.find("rope_parameters") : root.find("rope_scaling");
  if (!rope) return;
  if (newer) config.rope_theta = rope->number_or("rope_theta", config.rope_theta);
  const std::string type = rope->string_or("rope_type", rope->string_or("type", "default"));
  if (type == "default") return;
  if (type == "linear") {
    config.rope_scaling = RopeScaling::kLinear;
    config.rope_factor = rope->at("factor").number();
  } else if (type == "llama3") {
    config.rope_scaling = RopeScaling::kLlama3;
    config.rope_factor = rope->at("factor").number();
    config.rope_low_freq_factor = rope->at("low_freq_factor").number();
    config.rope_high_freq_factor = rope->at("high_freq_factor").number();
    config.rope_original_context = rope->at("original_max_position_embeddings").unsigned_integer();
  } else {
    rope->fail("rope type \"" + type + "\" is not supported; default, linear and llama3 are");
  }
}

void refuse_true(const json::Ref& root, std::string_view key) {
  if (root.boolean_or(key, false)) root.at(key).fail("true is not supported for this architecture");
}

void refuse_unsupported(const json::Ref& root, const Config& config) {
  const std::string activation = root.string_or("hidden_act", "silu");
  if (activation != "silu") root.at("hidden_act").fail("\"" + activation + "\" is not supported; silu is");
  refuse_true(root, "mlp_bias");
  refuse_true(root, "use_sliding_window");
  refuse_true(root, "rope_interleaved");
  if (config.architecture != "qwen2") refuse_true(root, "attention_bias");
  if (root.find("quantization_config")) {
    root.at("quantization_config")
        .fail("quantised safetensors are not supported; use the F32, F16 or BF16 checkpoint");
  }
  if (const auto factor = root.find("partial_rotary_factor"); factor && factor->number() != 1.0) {
    factor->fail("only 1.0 is supported");
  }
}

uint64_t gguf_vocab(const gguf::File& file) {
  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->dims.size() != 2) {
    throw FormatError(file.path(), "tensor \"token_embd.weight\" is missing or not a matrix");
  }
  return embedding->dims[1];
}

void read_gguf_rope(const gguf::File& file, const std::string& prefix, Config& config) {
  const std::string scaling = prefix + "rope.scaling.type";
  const std::string type = file.has(scaling) ? std::string(file.string(scaling)) : "none";
  if (type == "linear") {
    config.rope_scaling = RopeScaling::kLinear;
    config.rope_factor = file.number(prefix + "rope.scaling.factor");
  } else if (type != "none") {
    throw FormatError(file.path(), "metadata key \"" + scaling + "\": \"" + type +
                                       "\" is not supported; none and linear are");
  }
  if (const gguf::Tensor* factors = file.find_tensor("rope_freqs.weight")) {
    if (config.rope_scaling != RopeScaling::kNone) {
      throw FormatError(file.path(), "has both rope_freqs.weight and " + scaling);
    }
    if (factors->dims.size() != 1 || factors->dims[0] != config.head_dim / 2) {
      throw FormatError(file.path(), "tensor \"rope_freqs.weight\" must have " +
                                         std::to_string(config.head_dim / 2) + " elements, half of head_dim");
    }
    config.rope_scaling = RopeScaling::kFactors;
    config.rope_factors.resize(config.head_dim / 2);
    file.dequantize(*factors, 0, 1, config.rope_factors.data());
  }
}

}  // namespace

void check_config(const Config& c, const std::string& file) {
  const auto at_least_one = [&](const char* name, uint64_t value) {
    if (value == 0 || value > (uint64_t{1} << 32)) {
      throw FormatError(file, std::string(name) + " is " + std::to_string(value) + "; 1 to 2^32 are allowed");
    }
  };
  at_least_one("the number of layers", c.layers);
  if (c.layers > 4096) throw FormatError(file, std::to_string(c.layers) + " layers; at most 4096 are read");
  at_least_one("the width (hidden_size)", c.width);
  at_least_one("the number of heads", c.heads);
  at_least_one("the number of KV heads", c.kv_heads);
  at_least_one("head_dim", c.head_dim);
  at_least_one("the feed-forward width", c.ffn);
  at_least_one("the vocabulary", c.vocab);
  at_least_one("the context", c.context);
  if (c.heads % c.kv_heads != 0) {
    throw FormatError(file, std::to_string(c.heads) + " heads are not a multiple of " +
                                std::to_string(c.kv_heads) + " KV heads");
  }
  if (c.head_dim % 2 != 0)
    throw FormatError(file, "head_dim " + std::to_string(c.head_dim) + " is odd; RoPE needs pairs");
  if (!(c.rope_theta > 0) || !(c.norm_eps > 0) || !(c.rope_factor > 0)) {
    throw FormatError(file, "rope theta, rope factor and norm epsilon must be above 0");
  }
}

Config read_hf_config(const std::string& config_json) {
  const json::Document document = json::Document::open(config_json);
  const json::Ref root = document.root();
  Config c;
  c.architecture = root.at("model_type").string();
  if (!supported(c.architecture)) {
    root.at("model_type").fail("\"" + c.architecture + "\" is not supported; llama, qwen2 and qwen3 are");
  }
  c.layers = root.at("num_hidden_layers").unsigned_integer();
  c.width = root.at("hidden_size").unsigned_integer();
  c.heads = root.at("num_attention_heads").unsigned_integer();
  c.kv_heads = root.unsigned_or("num_key_value_heads", c.heads);
  const uint64_t default_head_dim = c.architecture == "qwen3" ? 128 : (c.heads > 0 ? c.width / c.heads : 0);
  c.head_dim = root.unsigned_or("head_dim", default_head_dim);
  c.ffn = root.at("intermediate_size").unsigned_integer();
  c.vocab = root.at("vocab_size").unsigned_integer();
  c.context = root.at("max_position_embeddings").unsigned_integer();
  c.norm_eps = root.number_or("rms_norm_eps", 1e-6);
  c.tied = root.boolean_or("tie_word_embeddings", false);
  c.qkv_bias = c.architecture == "qwen2";
  c.qk_norm = c.architecture == "qwen3";
  read_hf_rope(root, c);
  refuse_unsupported(root, c);
  check_config(c, config_json);
  return c;
}

Config read_gguf_config(const gguf::File& file) {
  Config c;
  c.architecture = file.string("general.architecture");
  if (!supported(c.architecture)) {
    throw FormatError(file.path(), "general.architecture \"" + c.architecture +
                                       "\" is not supported; llama, qwen2 and qwen3 are");
  }
  const std::string prefix = c.architecture + ".";
  c.layers = file.unsigned_integer(prefix + "block_count");
  c.width = file.unsigned_integer(prefix + "embedding_length");
  c.heads = file.unsigned_integer(prefix + "attention.head_count");
  const std::string kv_key = prefix + "attention.head_count_kv";
  c.kv_heads = file.has(kv_key) ? file.unsigned_integer(kv_key) : c.heads;
  const std::string dim_key = prefix + "attention.key_length";
  c.head_dim = file.has(dim_key) ? file.unsigned_integer(dim_key) : (c.heads > 0 ? c.width / c.heads : 0);
  const std::string value_key = prefix + "attention.value_length";
  if (file.has(value_key) && file.unsigned_integer(value_key) != c.head_dim) {
    throw FormatError(file.path(),
                      "attention.key_length and attention.value_length differ, which is not supported");
  }
  const std::string rotary_key = prefix + "rope.dimension_count";
  if (file.has(rotary_key) && file.unsigned_integer(rotary_key) != c.head_dim) {
    throw FormatError(file.path(), "rope.dimension_count " +
                                       std::to_string(file.unsigned_integer(rotary_key)) +
                                       " is not head_dim " + std::to_string(c.head_dim) +
                                       ": partial RoPE is not supported");
  }
  if (const std::string experts = prefix + "expert_count";
      file.has(experts) && file.unsigned_integer(experts) > 0) {
    throw FormatError(file.path(),
                      "metadata key \"" + experts + "\": mixtures of experts are not supported here");
  }
  c.ffn = file.unsigned_integer(prefix + "feed_forward_length");
  c.context = file.unsigned_integer(prefix + "context_length");
  c.norm_eps = file.number(prefix + "attention.layer_norm_rms_epsilon");
  if (const std::string theta = prefix + "rope.freq_base"; file.has(theta)) c.rope_theta = file.number(theta);
  c.vocab = gguf_vocab(file);
  c.tied = file.find_tensor("output.weight") == nullptr;
  c.qkv_bias = c.architecture == "qwen2";
  c.qk_norm = c.architecture == "qwen3";
  // A float32 holds 1e-5 as 9.999999747e-06. The nearest short decimal is what config.json said, and what makes
  // both formats of a checkpoint one model.
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, static_cast<float>(c.norm_eps)).ptr;
  std::from_chars(text, end, c.norm_eps);
  check_config(c, file.path());
  read_gguf_rope(file, prefix, c);
  return c;
}

std::vector<double> rope_inverse_frequencies(const Config& c) {
  std::vector<double> frequencies(c.head_dim / 2);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double f = std::pow(c.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.head_dim));
    double scaled = f;
    if (c.rope_scaling == RopeScaling::kLinear) scaled = f / c.rope_factor;
    if (c.rope_scaling == RopeScaling::kFactors) scaled = f / static_cast<double>(c.rope_factors.at(i));
    if (c.rope_scaling == RopeScaling::kLlama3) {
      const double turns =
          static_cast<double>(c.rope_original_context) * f / (2.0 * std::numbers::pi);  // C / l
      if (turns < c.rope_low_freq_factor) {
        scaled = f / c.rope_factor;
      } else if (turns <= c.rope_high_freq_factor) {
        const double s =
            (turns - c.rope_low_freq_factor) / (c.rope_high_freq_factor - c.rope_low_freq_factor);
        scaled = (1.0 - s) * f / c.rope_factor + s * f;
      }
    }
    frequencies[i] = scaled;
  }
  return frequencies;
}

}  // namespace tenon::checkpoint
