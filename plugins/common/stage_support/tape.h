// A forward pass whose backward pass may follow.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "tenon/model.hpp"

namespace tenon::stages {

// Holds what the model kept for the backward pass, and drops it where that is never made. `model` outlives this.
class Tape {
 public:
  explicit Tape(const Model& model) : model_(model) {}
  ~Tape() {
    if (handle_ != 0) model_.vt().drop_tape(model_.ref()->self, handle_);
  }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Model::score; at most once. A null pointer: not wanted.
  void score(const tenon_call* call, const tenon_tokens& tokens, float* logprob, float* entropy,
             float* value) {
    model_.score(call, tokens, logprob, entropy, value, &handle_);
  }
  bool is_open() const { return handle_ != 0; }
  // Of the sequences scored; the tape is then used up.
  void backward(const tenon_call* call, const float* d_logprob, const float* d_entropy,
                const float* d_value) {
    model_.backward(call, std::exchange(handle_, 0), d_logprob, d_entropy, d_value);
  }

 private:
  const Model& model_;
  uint64_t handle_ = 0;
};

}  // namespace tenon::stages
