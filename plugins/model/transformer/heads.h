// The final norm and the heads: language, value, scalar.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network.h"
#include "tenon/kernels/head.h"

namespace tenon::transformer {

// What is wanted of a pass, besides the scalar at the ends of sequences, which the batch says.
struct Wanted {
  bool logprob = true, entropy = false, value = false;
};

// The head rows of a batch after a forward: outputs, and what a backward needs. Arrays are over the head rows
// [n], in their order.
struct HeadState {
  uint64_t n = 0;
  float temperature = 1;
  Wanted wanted;
  bool all_language = true;
  std::vector<uint64_t> language;  // which of the n have a target; not used when all have
  std::vector<int32_t> target;
  std::vector<float> logprob, entropy, lse;
  std::vector<float> value;      // of the value head, or, where there is no target, of the scalar head
  Arena::Block x, hidden, rstd;  // [n][d] the last block's output, [n][d] after the norm, [n]

  uint64_t language_count() const { return all_language ? n : language.size(); }
  const uint64_t* language_rows() const { return all_language ? nullptr : language.data(); }
};

// Gradients of the outputs, over the head rows; empty where they are all 0.
struct HeadGradients {
  std::vector<float> logprob, entropy, value;
};

class Heads {
 public:
  // Of the model (module 0) or of a module (from 1), which has a final norm of its own and shares the language
  // head.
  explicit Heads(const Network& network, uint64_t module = 0)
      : net_(network),
        p_(network.parameters()),
        d_(network.shape().width),
        module_(module),
        norm_(module > 0 ? p_.modules[module - 1].final_norm : p_.final_norm) {}

  // x[rows][d]: the last block's output.
  HeadState forward(const Batch& batch, const float* x, float temperature, const Wanted& wanted) const;
  // dx[rows][d] = gradient of x (0 in the other rows); gradients of the heads' parameters are added up.
  void backward(const Batch& batch, const HeadState& state, const HeadGradients& g, float* dx) const;
  // Both in one visit, for a gradient of the log-probabilities [n] that is known beforehand. The
  // log-probabilities are computed if wanted.
  HeadState visit(const Batch& batch, const float* x, float temperature, const std::vector<float>& d_logprob,
                  bool want_logprob, float* dx) const;

  // out[n][vocabulary]: logits of the head rows, without temperature.
  void logits(const Batch& batch, const float* x, float* out) const;

  // Draws the token that follows each of n rows x[n][d]; u[n] may be null at temperature 0. Overwrites x.
  void sample(uint64_t n, float* x, const tenon_sampling& sampling, const float* u, int32_t* token,
              float* logprob) const;

 private:
  tenon_head language(float temperature) const;
  HeadState begin(const Batch& batch, const float* x, float temperature, const Wanted& wanted) const;
  void norm_backward(const Batch& batch, const HeadState& state, const float* dhidden, float* dx) const;
  void numbers(const Batch& batch, HeadState& state) const;
  void numbers_backward(const Batch& batch, const HeadState& state, const std::vector<float>& d_value,
                        float* dhidden) const;

  const Network& net_;
  Parameters& p_;
  const uint64_t d_, module_;
  const uint64_t norm_;  // offset
};

}  // namespace tenon::transformer
