// What is read off the encoder's output: masked tokens, whether one segment follows the other, a scalar.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network.h"

namespace tenon::encoder {

// The head of masked tokens: dense layer, GELU and norm, then the embedding as decoder, with a bias (Devlin et al. 2018; its released code).
struct MaskedRows {
  std::vector<uint64_t> rows;    // of the batch, ascending
  std::vector<int32_t> target;   // [n]
  Floats x, dense, cdf, active;  // [n][width]: the rows, behind the dense layer, Φ of that, behind GELU
  Floats stats, hidden;          // [n][2]; [n][width + 1]: normed, and a 1 that the bias is multiplied by
  std::vector<float> logprob, lse;
};

// The pooled head: tanh of a dense layer on the first token of a sequence, and a linear layer on that.
struct PooledRows {
  std::vector<uint64_t> rows;  // of the batch: first tokens
  Floats x, pooled;            // [n][width]
  Floats out;                  // [n][outputs of the last layer]
};

class Heads {
 public:
  Heads(const Network& network, Parameters& parameters) : net_(network), p_(parameters) {}

  MaskedRows masked(const Activations& a, std::vector<uint64_t> rows, std::vector<int32_t> target) const;
  std::vector<int32_t> most_likely(const MaskedRows& s) const;
  // d_logprob [n]. Adds to the gradients, and to d_output at the rows.
  void masked_backward(const MaskedRows& s, const std::vector<float>& d_logprob, float* d_output) const;

  // `last`: the layer behind the pooled vector, Parameters::next or scalar.
  PooledRows pooled(const Activations& a, const Linear& last, std::vector<uint64_t> rows) const;
  void pooled_backward(const PooledRows& s, const Linear& last, const std::vector<float>& d_out,
                       float* d_output) const;

 private:
  Floats gather(const Activations& a, const std::vector<uint64_t>& rows) const;
  void scatter(const std::vector<uint64_t>& rows, const float* dx, float* d_output) const;

  const Network& net_;
  Parameters& p_;
};

}  // namespace tenon::encoder
