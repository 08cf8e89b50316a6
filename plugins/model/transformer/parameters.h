// The parameters of the model, their gradients, and the packed copies that the forward reads.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "memory.h"
#include "shape.h"
#include "tenon/kernels/gemm.h"

namespace tenon::transformer {

// One parameter under its Hugging Face name, as the ABI shows it.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  uint32_t flags = 0;  // TENON_P_…
  uint64_t offset = 0, count = 0;
  DLTensor value{}, grad{};
};

// A linear layer y = x·Wᵀ: W [out][in] row-major for the gradients, in panels for the forward. Query, key and
// value are one layer, gate and up too.
struct Linear {
  uint64_t in = 0, out = 0;
  uint64_t weight = 0;  // offset in the parameters
  uint64_t packed = 0;  // offset in the packed copies
  bool has_bias = false;
  uint64_t bias = 0;
};

struct Layer {
  uint64_t norm1 = 0, norm2 = 0, q_norm = 0, k_norm = 0;  // offsets
  Linear qkv, o, gate_up, down;
};

class Parameters {
 public:
  // Values are not initialised; gradients do not exist yet. usable_vocab: rows of the embedding that the
  // language head scores.
  Parameters(const Shape& shape, uint64_t usable_vocab, bool value_head, bool scalar_head);
  Parameters(const Parameters&) = delete;

  uint64_t count() const { return all_.size(); }
  uint64_t numbers() const { return numbers_; }
  // The i-th parameter; its gradient is there after need_gradients().
  const Parameter& operator[](uint64_t i) const { return *all_[i]; }
  const Parameter* find(std::string_view name) const;

  float* value(uint64_t offset) { return values_.get() + offset; }
  const float* value(uint64_t offset) const { return values_.get() + offset; }
  float* grad(uint64_t offset) { return grads_.get() + offset; }
  const float* packed(uint64_t offset) const { return packed_.get() + offset; }

  // Random values, from the host's generator keyed by name: matrices N(0, std²), o_proj and down_proj N(0,
  // std²/(2·layers)), norms 1, biases and the value head 0, the scalar head N(0, 1/(width + 1)) (Stiennon et
  // al. 2020).
  void initialise(const Host& host, double std, bool heads_only);

  // Allocates gradients, as zeros, if there are none yet. A frozen model never has any.
  void need_gradients();
  bool has_gradients() const { return grads_ != nullptr; }
  void zero_gradients(const tenon_executor* ex);
  // Adds the gradient of a tied embedding's lookup to that of the head, and clears it.
  void finish_gradients(const tenon_executor* ex);
  // Where the lookup's gradient goes: a buffer of its own when the embedding is tied, so that each of both
  // sums is one chain.
  float* lookup_grad();

  // Values changed: the packed copies are made again at the next `pack`.
  void changed() { packed_valid_ = false; }
  void pack(const tenon_executor* ex);

  const Shape& shape() const { return shape_; }
  uint64_t usable_vocab() const { return usable_vocab_; }

  uint64_t embedding = 0, final_norm = 0;
  Linear head;                     // weight == embedding when tied
  Linear value_head, scalar_head;  // in == 0: there is none
  std::vector<Layer> layers;

 private:
  uint64_t add(std::string name, std::vector<int64_t> shape, uint32_t flags);
  void bind_views();

  Shape shape_;
  uint64_t usable_vocab_;
  std::vector<std::unique_ptr<Parameter>> all_;
  uint64_t numbers_ = 0, extent_ = 0, packed_extent_ = 0;
  Floats values_, grads_, lookup_grads_, packed_;
  bool packed_valid_ = false;
};

}  // namespace tenon::transformer
