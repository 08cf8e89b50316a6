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

// What one way to a log-probability computes in such a visit: the model's, or a module's.
struct Visit {
  const Heads& heads;
  Batch batch;                   // of the same rows for all
  std::vector<float> d_logprob;  // [head rows]
};
// The same for the model, visits[0], and the modules 1, 2, … whose gradients flow back into it; the log-probabilities of each.
std::vector<std::vector<float>> accumulate(const Network& network, std::vector<Visit> visits,
                                           float temperature, bool want_logprob);
// The modules' log-probabilities alone; visits[0] gives the model's rows, and nothing else of it is used.
std::vector<std::vector<float>> modules_forward(const Network& network, const std::vector<Visit>& visits,
                                                float temperature);

// LibTorch's own threads would take cores from the run's pool.
void use_one_torch_thread();

}  // namespace tenon::transformer
