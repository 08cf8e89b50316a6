// The encoder's body: embeddings and blocks, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layers.h"
#include "parameters.h"

namespace tenon::encoder {

// Whole sequences, packed without padding.
struct Batch {
  std::vector<int32_t> ids, positions, segments;  // [rows]
  std::vector<uint64_t> offsets{0};               // [sequences + 1]
  uint64_t rows() const { return ids.size(); }
  uint64_t sequences() const { return offsets.size() - 1; }
};

// Activations of one block that its backward reads; [rows][…]. With pre_norm, what a norm gives is what its sub-layer reads; without, what the
// norm behind the sub-layer reads is its sum with the residual.
struct BlockSaved {
  Floats normed;         // with pre_norm: what attention reads; else empty, it reads the block's input
  Floats qkv, p, mixed;  // queries, keys and values; probabilities; the heads' outputs
  Floats residual1;      // input + attention
  Floats middle;         // what the feed-forward reads
  Floats up, cdf;        // before GELU, and Φ of it
  Floats residual2;      // without pre_norm: middle + feed-forward
  Floats stats1, stats2;
};

// A forward whose backward may follow.
struct Activations {
  Batch batch;
  Floats embedded, embedded_stats;  // before the embeddings' norm
  std::vector<Floats> x;            // [layers + 1] input of each block, output of the last
  std::vector<BlockSaved> blocks;
  Floats hidden, final_stats;  // with pre_norm: the normed output
  const float* output() const { return hidden.empty() ? x.back().data() : hidden.data(); }
};

class Network {
 public:
  // Both outlive this.
  Network(Parameters& parameters, const tenon_executor* executor) : p_(parameters), ex_(executor) {}

  Activations forward(Batch batch) const;
  // d_output [rows][width] = dL/d output(), used up. Adds to the gradients.
  void backward(const Activations& a, Floats d_output) const;

 private:
  Attention attention_of(const Batch& batch) const;
  void linear(const Linear& l, uint64_t rows, const float* x, const float* add, float* y) const;
  void linear_backward(const Linear& l, uint64_t rows, const float* x, const float* dy, bool accumulate,
                       float* dx) const;
  void norm(const Norm& n, uint64_t rows, const float* x, float* y, float* stats) const;
  void norm_backward(const Norm& n, uint64_t rows, const float* x, const float* stats, const float* dy,
                     bool accumulate, float* dx) const;
  void embed(Activations& a) const;
  void embed_backward(const Activations& a, float* dx) const;
  void block(const Layer& layer, const Attention& heads, const Floats& x, BlockSaved& s, Floats& y) const;
  void block_backward(const Layer& layer, const Attention& heads, const Floats& x, const BlockSaved& s,
                      Floats& dx) const;

  Parameters& p_;
  const tenon_executor* ex_;
  friend class Heads;
};

}  // namespace tenon::encoder
