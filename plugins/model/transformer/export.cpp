// Export: what `transformers` opens.
// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <filesystem>

#include "file/atomic_file.h"
#include "safetensors/safetensors.h"
#include "transformer.h"

namespace tenon::transformer {
namespace {

namespace fs = std::filesystem;

// What belongs to a tokenizer in a Hugging Face folder.
constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "tokenizer.model",
                                           "chat_template.jinja",
                                           "generation_config.json"};

std::string text(double v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  std::string out(buffer, end);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}
std::string text(uint64_t v) {
  return std::to_string(v);
}
std::string text(bool v) {
  return v ? "true" : "false";
}
std::string text(std::string_view v) {
  return std::string("\"").append(v).append("\"");
}
std::string text(const std::string& v) {
  return text(std::string_view(v));
}
std::string text(const char* v) {
  return text(std::string_view(v));
}

// A flat JSON object, one member a line, in the order of the calls.
class Members {
 public:
  template <class T>
  void add(const char* name, const T& value) {
    raw(name, text(value));
  }
  void raw(const char* name, const std::string& json) {
    body_.append(body_.empty() ? "  " : ",\n  ").append(text(name)).append(": ").append(json);
  }
  std::string str() const { return std::string("{\n").append(body_).append("\n}\n"); }

 private:
  std::string body_;
};

std::string rope_scaling(const Shape& s) {
  switch (s.rope_scaling) {
    case checkpoint::RopeScaling::kNone:
      return "null";
    case checkpoint::RopeScaling::kLinear:
      return "{\"rope_type\": \"linear\", \"factor\": " + text(s.rope_factor) + "}";
    case checkpoint::RopeScaling::kLlama3:
      return "{\"rope_type\": \"llama3\", \"factor\": " + text(s.rope_factor) +
             ", \"low_freq_factor\": " + text(s.rope_low_freq_factor) +
             ", \"high_freq_factor\": " + text(s.rope_high_freq_factor) +
             ", \"original_max_position_embeddings\": " + text(s.rope_original_context) + "}";
    case checkpoint::RopeScaling::kFactors:
      break;
  }
  throw Error(TENON_E_UNSUPPORTED,
              "these weights came from a GGUF file with a table of rotary factors, which a Hugging Face "
              "config.json cannot hold: start from the "
              "safetensors of the same model to export it");
}

std::string config_json(const Shape& s, const Tokenizer& tokenizer, const std::string& dtype) {
  Members c;
  const bool qwen2 = s.architecture == "qwen2", qwen3 = s.architecture == "qwen3";
  c.raw("architectures", qwen2   ? "[\"Qwen2ForCausalLM\"]"
                         : qwen3 ? "[\"Qwen3ForCausalLM\"]"
                                 : "[\"LlamaForCausalLM\"]");
  c.add("model_type", s.architecture);
  c.add("torch_dtype", dtype == "f32" ? "float32" : dtype == "bf16" ? "bfloat16" : "float16");
  c.add("vocab_size", s.vocab);
  c.add("hidden_size", s.width);
  c.add("intermediate_size", s.ffn);
  c.add("num_hidden_layers", s.layers);
  c.add("num_attention_heads", s.heads);
  c.add("num_key_value_heads", s.kv_heads);
  c.add("head_dim", s.head_dim);
  c.add("max_position_embeddings", s.context);
  c.add("hidden_act", "silu");
  c.add("rms_norm_eps", s.norm_eps);
  c.add("rope_theta", s.rope_theta);
  c.raw("rope_scaling", rope_scaling(s));
  c.add("tie_word_embeddings", s.tied);
  if (!qwen2) c.add("attention_bias", false);
  if (!qwen2 && !qwen3) c.add("mlp_bias", false);
  if (qwen2 || qwen3) c.add("use_sliding_window", false);
  c.add("attention_dropout", 0.0);
  for (const char* name : {"bos", "eos", "pad"})
    if (const int64_t id = tokenizer.special(name); id >= 0)
      c.add((std::string(name) + "_token_id").c_str(), static_cast<uint64_t>(id));
  return c.str();
}

}  // namespace

void Transformer::write(const std::string& folder, const std::string& dtype) const {
  const bool known = dtype == "f32" || dtype == "bf16" || dtype == "f16";
  if (!known) throw Error("dtype \"" + dtype + "\" is unknown; allowed are f32, bf16 and f16");
  const auto type = dtype == "f32"    ? safetensors::DType::kF32
                    : dtype == "bf16" ? safetensors::DType::kBF16
                                      : safetensors::DType::kF16;
  const Shape& shape = parameters_->shape();
  const std::string config = config_json(shape, tokenizer_, dtype);

  std::vector<safetensors::Output> tensors;
  for (const auto& t : checkpoint::expected_tensors(shape)) {
    const Parameter* p = parameters_->find(t.name);
    if (p == nullptr) throw Error(TENON_E_INTERNAL, "no parameter for tensor " + t.name);
    tensors.push_back({t.name, type, t.shape, parameters_->value(p->offset)});
  }
  if (options_.value_head || options_.scalar_head)
    host_.warn(
        "export: config.json describes a language model, so the value and scalar heads are left out; "
        "checkpoints keep them");

  if (mtp_depth() > 0)
    host_.warn(
        "export: config.json describes a model that predicts the next token, so the modules of mtp_depth are "
        "left out; checkpoints keep them");

  const fs::path to = folder;
  try {
    safetensors::write((to / "model.safetensors").string(), tensors, {{"format", "pt"}});
    io::AtomicFile file((to / "config.json").string());
    file.write(config.data(), config.size());
    file.commit();
  } catch (const io::FormatError& e) {
    throw Error(TENON_E_IO, e.what());
  }

  fs::path from;
  if (options_.weights)
    from = fs::is_directory(*options_.weights) ? fs::path(*options_.weights)
                                               : fs::path(*options_.weights).parent_path();
  bool copied = false;
  if (options_.weights && fs::path(*options_.weights).extension() != ".gguf")
    for (const char* name : kTokenizerFiles) {
      std::error_code missing, failed;
      if (!fs::exists(from / name, missing)) continue;
      fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing, failed);
      if (failed)
        throw Error(TENON_E_IO,
                    "cannot copy " + (from / name).string() + " to " + folder + ": " + failed.message());
      copied = true;
    }
  if (!copied)
    host_.info(
        "export: no tokenizer files are written, since the weights did not come from a Hugging Face folder "
        "that has them");
}

}  // namespace tenon::transformer
