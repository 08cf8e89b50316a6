// The parameters of the encoder, their gradients, and the packed copies that the forward reads.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "memory.h"
#include "tenon/kernels/executor.h"
#include "tenon/sdk.hpp"

namespace tenon::encoder {

struct Shape {
  uint64_t layers = 0, width = 0, heads = 0, ffn = 0;
  uint64_t vocab = 0, positions = 0;
  float eps = 0;
  bool pre_norm = false, scalar_head = false;
  uint64_t head_dim() const { return width / heads; }
};

// One parameter under the name that Hugging Face's BertForPreTraining gives it, as the ABI shows it.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  uint32_t flags = 0;  // TENON_P_…
  uint64_t offset = 0, count = 0;
  DLTensor value{}, grad{};
};

// y = x·Wᵀ + b: offsets of W [out][in] and b in the parameters, and of W in panels in the packed copies.
struct Linear {
  uint64_t in = 0, out = 0;
  uint64_t weight = 0, packed = 0, bias = 0;
  bool has_bias = true;
};

// Offsets of the factors and the summands of a layer norm.
struct Norm {
  uint64_t weight = 0, bias = 0;
};

struct Layer {
  Linear qkv, o, up, down;
  Norm norm1, norm2;  // after attention and feed-forward; with pre_norm before them
};

class Parameters {
 public:
  explicit Parameters(const Shape& shape);
  Parameters(const Parameters&) = delete;

  uint64_t count() const { return all_.size(); }
  uint64_t numbers() const { return extent_; }
  const Parameter& operator[](uint64_t i) const { return all_[i]; }

  const float* value(uint64_t offset) const { return values_.data() + offset; }
  float* grad(uint64_t offset) { return grads_.data() + offset; }
  const float* packed(const Linear& l) const { return packed_.data() + l.packed; }

  // From the host's generator, keyed by name: matrices and embeddings N(0, std²), norms 1 and 0, biases 0, the scalar head
  // N(0, 1/(width + 1)) (Stiennon et al. 2020).
  void initialise(const Host& host, double std);

  // Allocates gradients, as zeros, if there are none yet. A frozen model never has any.
  void need_gradients();
  void zero_gradients();
  // Adds the decoder's gradient to that of the embedding it is tied to, and to its bias, and clears it.
  void finish_gradients();

  // Values changed: the packed copies are made again at the next `pack`.
  void changed() { packed_valid_ = false; }
  void pack(const tenon_executor* ex);

  // The decoder of the masked-token head as one matrix [vocab][width + 1], the embedding and, as its last column, the bias: log-probabilities
  // come from a kernel that knows no bias. Its gradient is a sum of its own until finish_gradients.
  const float* decoder() const { return decoder_.data(); }
  const float* decoder_packed() const { return decoder_packed_.data(); }
  float* decoder_grad() { return decoder_grad_.data(); }

  const Shape& shape() const { return shape_; }

  uint64_t words = 0, positions = 0, segments = 0;  // embeddings
  Norm embedding_norm, final_norm;                  // final_norm: with pre_norm
  std::vector<Layer> layers;
  Linear pooler, transform, next, scalar;
  Norm transform_norm;
  uint64_t decoder_bias = 0;

 private:
  uint64_t add(std::string name, std::vector<uint64_t> shape, uint32_t flags);
  Linear linear(const std::string& name, uint64_t out, uint64_t in, uint32_t flags);
  Linear query_key_value(const std::string& base);
  Norm norm(const std::string& name);
  void take_panels(Linear& l);
  std::vector<Linear> all_linear() const;

  Shape shape_;
  std::vector<Parameter> all_;
  uint64_t extent_ = 0, packed_extent_ = 0;
  Floats values_, grads_, packed_, decoder_, decoder_packed_, decoder_grad_;
  bool packed_valid_ = false;
};

}  // namespace tenon::encoder
