// A forward that a backward can follow: LibTorch's autograd over a Function per block.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "heads.h"

namespace tenon::transformer {

// Tensors are storage and edges of the graph: all arithmetic is in the kernels, and weights' gradients are
// added by them straight into the model's buffers, so the Functions return none.
class Graph {
 public:
  // Runs the forward and keeps what the backward needs.
  Graph(const Network& network, const Heads& heads, Batch batch, float temperature, const Wanted& wanted);
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  const Batch& batch() const;
  const HeadState& outputs() const;
  // Once.
  void backward(HeadGradients gradients);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Forward and backward in one visit, for the gradient of the head rows' log-probabilities [n]; returns these
// if they are wanted.
std::vector<float> accumulate(const Network& network, const Heads& heads, Batch batch, float temperature,
                              std::vector<float> d_logprob, bool want_logprob);

// LibTorch's own threads would take cores from the run's pool.
void use_one_torch_thread();

}  // namespace tenon::transformer
