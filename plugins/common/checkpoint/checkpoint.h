// Pre-trained decoders from Hugging Face safetensors or from GGUF, behind one interface.
// SPDX-License-Identifier: Apache-2.0
//
// Architectures: llama (Llama 1-3, SmolLM2), qwen2 (Qwen2, Qwen2.5), qwen3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "file/format_error.h"

namespace tenon::checkpoint {

using io::FormatError;

enum class RopeScaling {
  kNone,
  kLinear,   // inv_freq / factor
  kLlama3,   // Llama 3.1's three ranges, see rope_inverse_frequencies()
  kFactors,  // inv_freq[i] / factors[i] (GGUF's rope_freqs.weight)
};

// The shape of a decoder. All sizes are at least 1 and consistent: heads % kv_heads == 0, head_dim even.
struct Config {
  std::string architecture;  // "llama", "qwen2" or "qwen3"
  uint64_t layers = 0;
  uint64_t width = 0;  // hidden_size
  uint64_t heads = 0;
  uint64_t kv_heads = 0;
  uint64_t head_dim = 0;  // not always width / heads
  uint64_t ffn = 0;       // intermediate_size
  uint64_t vocab = 0;     // rows of the embedding; may exceed the tokenizer's size
  uint64_t context = 0;   // max_position_embeddings
  double rope_theta = 10000.0;
  double norm_eps = 1e-6;
  bool tied = false;      // lm_head is model.embed_tokens, and there is no lm_head.weight
  bool qkv_bias = false;  // bias on q, k and v only (Qwen2)
  bool qk_norm = false;   // RMSNorm over head_dim on q and k, before RoPE (Qwen3)

  RopeScaling rope_scaling = RopeScaling::kNone;
  double rope_factor = 1.0;               // kLinear, kLlama3
  double rope_low_freq_factor = 1.0;      // kLlama3
  double rope_high_freq_factor = 4.0;     // kLlama3
  uint64_t rope_original_context = 8192;  // kLlama3
  std::vector<float> rope_factors;        // kFactors, head_dim / 2 values
};

// theta^(-2i/head_dim) for i < head_dim / 2, with the config's scaling applied. For kLlama3, with wavelength
// l = 2 pi / f, original context C, factors low and high: l < C / high keeps f; l > C / low gives f / factor; between
// them s = (C / l - low) / (high - low) and f' = (1 - s) f / factor + s f (transformers, modeling_rope_utils.py).
std::vector<double> rope_inverse_frequencies(const Config& config);

// A tensor as a Hugging Face checkpoint names and shapes it.
struct TensorInfo {
  std::string name;             // "model.layers.0.self_attn.q_proj.weight"
  std::vector<uint64_t> shape;  // PyTorch order: [out, in]
  std::string dtype;            // as stored: "BF16", "Q4_1"
  uint64_t elements() const;
};

// The weights of one checkpoint, under their Hugging Face names whatever the format. Immutable after open: any
// thread may read.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::vector<TensorInfo>& tensors() const = 0;  // sorted by name
  const TensorInfo* find(std::string_view name) const;         // nullptr when absent

  // Writes the tensor's elements() values, row-major, to `out`. From GGUF it dequantises and restores the row order
  // of q and k (gguf::unpermute_rope_rows). Throws FormatError naming the tensor when it is absent or of a type
  // that cannot be read.
  virtual void read_f32(std::string_view name, float* out) const = 0;

  virtual const std::string& path() const = 0;
};

struct Pretrained {
  Config config;
  std::unique_ptr<TensorSource> tensors;
  // A path that the byte-bpe tokenizer opens: the .gguf itself, or the folder; "" when the folder has no
  // tokenizer.json.
  std::string tokenizer;
};

// Opens a .gguf file; a .safetensors file with config.json beside it; or a Hugging Face folder with config.json
// and model.safetensors or its shards. Checks that every tensor the config calls for is there with the right
// shape, and that nothing is there that the model would ignore (except rotary tables, which are recomputed, and a
// second copy of a tied head).
// Throws FormatError naming file, key or tensor, the value and what is supported; for a config value that would
// change the result and is not supported (sliding window, another activation, biases elsewhere), likewise.
Pretrained open_pretrained(const std::string& path);

// The tensors that a checkpoint of this config holds, sorted by name; `dtype` is left empty.
std::vector<TensorInfo> expected_tensors(const Config& config);

}  // namespace tenon::checkpoint
