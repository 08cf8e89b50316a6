// The two tensor sources: safetensors, which already has our names, and GGUF, which has llama.cpp's.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "checkpoint/internal.h"
#include "safetensors/safetensors.h"

namespace tenon::checkpoint {
namespace {

class SafetensorsSource final : public TensorSource {
 public:
  explicit SafetensorsSource(const std::string& path)
      : path_(path), checkpoint_(safetensors::Checkpoint::open(path)) {
    for (const safetensors::View* view : checkpoint_.tensors()) {
      infos_.push_back({view->name, view->shape, std::string(safetensors::dtype_name(view->dtype))});
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  const std::string& path() const override { return path_; }

  void read_f32(std::string_view name, float* out) const override {
    const safetensors::View* view = checkpoint_.find(name);
    if (view == nullptr) throw FormatError(path_, "tensor \"" + std::string(name) + "\" is missing");
    safetensors::read_f32(*view, out, path_);
  }

 private:
  std::string path_;
  safetensors::Checkpoint checkpoint_;
  std::vector<TensorInfo> infos_;
};

// llama.cpp's names (gguf-py, tensor_mapping.py) and Hugging Face's, without layer prefix and ".weight"/".bias".
struct NamePair {
  std::string_view gguf;
  std::string_view hf;
};
constexpr std::array<NamePair, 3> kTopNames{
    {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}}};
constexpr std::array<NamePair, 11> kLayerNames{{{"attn_norm", "input_layernorm"},
                                                {"attn_q", "self_attn.q_proj"},
                                                {"attn_k", "self_attn.k_proj"},
                                                {"attn_v", "self_attn.v_proj"},
                                                {"attn_output", "self_attn.o_proj"},
                                                {"attn_q_norm", "self_attn.q_norm"},
                                                {"attn_k_norm", "self_attn.k_norm"},
                                                {"ffn_norm", "post_attention_layernorm"},
                                                {"ffn_gate", "mlp.gate_proj"},
                                                {"ffn_up", "mlp.up_proj"},
                                                {"ffn_down", "mlp.down_proj"}}};

// "" for a name that is not of these families.
std::string hf_name(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return "";
  const std::string_view suffix = name.substr(dot);
  std::string_view stem = name.substr(0, dot);
  if (suffix != ".weight" && suffix != ".bias") return "";
  if (!stem.starts_with("blk.")) {
    for (const NamePair& pair : kTopNames) {
      if (pair.gguf == stem) return std::string(pair.hf) + std::string(suffix);
    }
    return "";
  }
  stem.remove_prefix(4);
  const size_t end = stem.find('.');
  if (end == std::string_view::npos) return "";
  const std::string_view layer = stem.substr(0, end);
  for (const NamePair& pair : kLayerNames) {
    if (pair.gguf == stem.substr(end + 1)) {
      return "model.layers." + std::string(layer) + "." + std::string(pair.hf) + std::string(suffix);
    }
  }
  return "";
}

class GgufSource final : public TensorSource {
 public:
  GgufSource(std::unique_ptr<gguf::File> file, const Config& config)
      : file_(std::move(file)), head_dim_(config.head_dim), permuted_(config.architecture == "llama") {
    for (const gguf::Tensor& tensor : file_->tensors()) {
      if (tensor.name == "rope_freqs.weight") continue;  // part of the config
      const std::string name = hf_name(tensor.name);
      if (name.empty()) {
        throw FormatError(
            file_->path(), tensor.offset,
            "tensor \"" + tensor.name + "\" is not part of a " + config.architecture + " decoder");
      }
      by_name_[name] = &tensor;
    }
    for (const auto& [name, tensor] : by_name_) {
      infos_.push_back(
          {name, {tensor->dims.rbegin(), tensor->dims.rend()}, gguf::tensor_type_name(tensor->type)});
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  const std::string& path() const override { return file_->path(); }

  void read_f32(std::string_view name, float* out) const override {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) throw FormatError(path(), "tensor \"" + std::string(name) + "\" is missing");
    const gguf::Tensor& tensor = *it->second;
    if (!permuted_ || !is_q_or_k(name)) return file_->dequantize(tensor, 0, tensor.rows(), out);

    const bool bias = tensor.dims.size() == 1;
    const uint64_t width = bias ? 1 : tensor.row_length();
    const uint64_t rows = bias ? tensor.row_length() : tensor.rows();
    if (rows % head_dim_ != 0) {
      throw FormatError(path(), tensor.offset,
                        "tensor \"" + tensor.name + "\" has " + std::to_string(rows) +
                            " rows, not a multiple of head_dim " + std::to_string(head_dim_));
    }
    std::vector<float> stored(rows * width);
    file_->dequantize(tensor, 0, tensor.rows(), stored.data());
    gguf::unpermute_rope_rows(stored.data(), rows / head_dim_, head_dim_, width, out);
  }

 private:
  static bool is_q_or_k(std::string_view name) {
    return name.find(".self_attn.q_proj.") != std::string_view::npos ||
           name.find(".self_attn.k_proj.") != std::string_view::npos;
  }

  std::unique_ptr<gguf::File> file_;
  uint64_t head_dim_;
  bool permuted_;  // only llama.cpp's `llama` architecture uses interleaved RoPE
  std::map<std::string, const gguf::Tensor*, std::less<>> by_name_;
  std::vector<TensorInfo> infos_;
};

}  // namespace

uint64_t TensorInfo::elements() const {
  uint64_t n = 1;
  for (const uint64_t extent : shape) n *= extent;
  return n;
}

const TensorInfo* TensorSource::find(std::string_view name) const {
  const auto& infos = tensors();
  const auto it =
      std::lower_bound(infos.begin(), infos.end(), name,
                       [](const TensorInfo& info, std::string_view wanted) { return info.name < wanted; });
  return it != infos.end() && it->name == name ? &*it : nullptr;
}

std::unique_ptr<TensorSource> open_safetensors_source(const std::string& path) {
  return std::make_unique<SafetensorsSource>(path);
}

std::unique_ptr<TensorSource> make_gguf_source(std::unique_ptr<gguf::File> file, const Config& config) {
  return std::make_unique<GgufSource>(std::move(file), config);
}

}  // namespace tenon::checkpoint
