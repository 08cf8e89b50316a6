// Opening a pre-trained model and checking that its tensors are the config's.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <limits>

#include "checkpoint/internal.h"

namespace tenon::checkpoint {
namespace {

namespace fs = std::filesystem;

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (const uint64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

void check_tensors(const Config& config, const TensorSource& source) {
  const std::vector<TensorInfo> expected = expected_tensors(config);
  for (const TensorInfo& want : expected) {
    const TensorInfo* have = source.find(want.name);
    if (have == nullptr) {
      throw FormatError(source.path(),
                        "tensor \"" + want.name + "\" of shape " + shape_text(want.shape) + " is missing");
    }
    if (have->shape != want.shape) {
      throw FormatError(source.path(), "tensor \"" + want.name + "\" has shape " + shape_text(have->shape) +
                                           "; the config calls for " + shape_text(want.shape));
    }
  }
  for (const TensorInfo& have : source.tensors()) {
    const auto it =
        std::lower_bound(expected.begin(), expected.end(), have.name,
                         [](const TensorInfo& a, const std::string& name) { return a.name < name; });
    const bool wanted = it != expected.end() && it->name == have.name;
    const bool rotary_table = have.name.ends_with(".rotary_emb.inv_freq");
    // Some tied checkpoints store the head again; as in transformers, the embedding is what counts.
    const bool tied_head = config.tied && have.name == "lm_head.weight";
    if (!wanted && !rotary_table && !tied_head) {
      throw FormatError(source.path(), "tensor \"" + have.name + "\" of shape " + shape_text(have.shape) +
                                           " is not part of a " + config.architecture +
                                           " decoder with this config");
    }
  }
}

Pretrained open_gguf(const std::string& path) {
  auto file = std::make_unique<gguf::File>(path);
  Pretrained result;
  result.config = read_gguf_config(*file);
  result.tokenizer = path;
  result.tensors = make_gguf_source(std::move(file), result.config);
  return result;
}

}  // namespace

std::vector<TensorInfo> expected_tensors(const Config& c) {
  std::vector<TensorInfo> tensors;
  const auto add = [&](const std::string& name, std::vector<uint64_t> shape) {
    tensors.push_back({name, std::move(shape), ""});
  };
  add("model.embed_tokens.weight", {c.vocab, c.width});
  add("model.norm.weight", {c.width});
  if (!c.tied) add("lm_head.weight", {c.vocab, c.width});
  const uint64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  for (uint64_t layer = 0; layer < c.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {c.width});
    add(prefix + "post_attention_layernorm.weight", {c.width});
    add(prefix + "self_attn.q_proj.weight", {q, c.width});
    add(prefix + "self_attn.k_proj.weight", {kv, c.width});
    add(prefix + "self_attn.v_proj.weight", {kv, c.width});
    add(prefix + "self_attn.o_proj.weight", {c.width, q});
    if (c.qkv_bias) {
      add(prefix + "self_attn.q_proj.bias", {q});
      add(prefix + "self_attn.k_proj.bias", {kv});
      add(prefix + "self_attn.v_proj.bias", {kv});
    }
    if (c.qk_norm) {
      add(prefix + "self_attn.q_norm.weight", {c.head_dim});
      add(prefix + "self_attn.k_norm.weight", {c.head_dim});
    }
    add(prefix + "mlp.gate_proj.weight", {c.ffn, c.width});
    add(prefix + "mlp.up_proj.weight", {c.ffn, c.width});
    add(prefix + "mlp.down_proj.weight", {c.width, c.ffn});
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tensors;
}

Pretrained open_pretrained(const std::string& path) {
  if (!fs::exists(path)) throw FormatError(path, "does not exist");
  Pretrained result;
  if (path.ends_with(".gguf")) {
    result = open_gguf(path);
  } else {
    const bool folder = fs::is_directory(path);
    if (!folder && !path.ends_with(".safetensors") && !path.ends_with(".safetensors.index.json")) {
      throw FormatError(path, "is neither a .gguf file, a .safetensors file nor a folder");
    }
    const fs::path home = folder ? fs::path(path) : fs::absolute(path).parent_path();
    result.config = read_hf_config((home / "config.json").string());
    result.tensors = open_safetensors_source(path);
    if (fs::exists(home / "tokenizer.json")) result.tokenizer = home.string();
  }
  check_tensors(result.config, *result.tensors);
  return result;
}

}  // namespace tenon::checkpoint
