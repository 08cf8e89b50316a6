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

// Predicts one token further ahead than what it stands on: from the hidden states of the model, or of the module
// before it, and the embeddings of the tokens that follow (DeepSeek-V3, arXiv 2412.19437, eq. 21 to 23).
struct Module {
  uint64_t hidden_norm = 0, embedding_norm = 0, final_norm = 0;  // offsets
  Linear join;                                                   // [d][2·d], M_k of eq. 21
  Layer block;
};

class Parameters {
 public:
  // Values are not initialised; gradients do not exist yet. usable_vocab: rows of the embedding that the
  // language head scores.
  Parameters(const Shape& shape, uint64_t usable_vocab, bool value_head, bool scalar_head,
             uint64_t mtp_depth);
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

  // Blocks of the model and behind them those of the modules.
  const Layer& block(uint64_t i) const {
    return i < layers.size() ? layers[i] : modules[i - layers.size()].block;
  }

  // Random values, from the host's generator keyed by name: matrices N(0, std²), o_proj and down_proj N(0,
  // std²/(2·layers)), norms 1, biases and the value head 0, the scalar head N(0, 1/(width + 1)) (Stiennon et
  // al. 2020). pretrained: just the heads and modules, which no weights have.
  void initialise(const Host& host, double std, bool pretrained);

  // Allocates gradients, as zeros, if there are none yet. A frozen model never has any.
  void need_gradients();
  bool has_gradients() const { return grads_ != nullptr; }
  void zero_gradients(const tenon_executor* ex);
  // Adds the gradients of a tied embedding's lookup and of the modules' lookups and heads to those of
  // embedding and head, and clears them.
  void finish_gradients(const tenon_executor* ex);
  // Where the gradients of the lookup and of the language head go, of the model (module 0) or of a module (1
  // to modules.size()): buffers of their own where the parameter has several, so that each sum is one chain.
  float* lookup_grad(uint64_t module = 0);
  float* head_grad(uint64_t module = 0);

  // Values changed: the packed copies are made again at the next `pack`.
  void changed() { packed_valid_ = false; }
  void pack(const tenon_executor* ex);

  const Shape& shape() const { return shape_; }
  uint64_t usable_vocab() const { return usable_vocab_; }

  uint64_t embedding = 0, final_norm = 0;
  Linear head;                     // weight == embedding when tied
  Linear value_head, scalar_head;  // in == 0: there is none
  std::vector<Layer> layers;
  std::vector<Module> modules;

 private:
  uint64_t add(std::string name, std::vector<int64_t> shape, uint32_t flags);
  Layer add_layer(const std::string& base);
  void add_module(uint64_t k);
  Linear linear(uint64_t weight, int64_t out, int64_t in);
  float* module_grad(uint64_t module, uint64_t which);
  uint64_t embedding_numbers() const { return shape_.vocab * shape_.width; }

  Shape shape_;
  uint64_t usable_vocab_;
  std::vector<std::unique_ptr<Parameter>> all_;
  uint64_t numbers_ = 0, extent_ = 0, packed_extent_ = 0;
  Floats values_, grads_, lookup_grads_, packed_;
  Floats module_grads_;         // [modules][lookup|head][vocabulary][d]
  bool modules_given_ = false;  // there may be something in them
  bool packed_valid_ = false;
};

}  // namespace tenon::transformer
