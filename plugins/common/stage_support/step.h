// Small things that every training stage does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "tenon/stage.hpp"

namespace tenon::stages {

// `call` with its step set.
inline tenon_call at_step(const tenon_call* call, uint64_t step) {
  tenon_call mine{};
  std::memcpy(&mine, call, std::min<size_t>(call->struct_size, sizeof mine));
  mine.struct_size = sizeof mine;
  mine.step = step;
  return mine;
}

// For a stage's constructor: throws if the model does not predict the next token (an encoder).
inline void require_next_token(const Model& model) {
  if ((model.info().heads & (1u << TENON_HEAD_LANGUAGE)) == 0)
    throw Error(TENON_E_INVALID, "model: " + std::string(model.ref()->name) + " (" + model.ref()->id +
                                     ") predicts no next token, which this stage needs: give a decoder, "
                                     "{use: transformer, …}");
}

// After the last backward: completes the gradients, steps, and announces the parameters as `version`.
inline tenon_optimizer_stats optimizer_step(const tenon_call* call, const Model& model,
                                            const Optimizer& optimizer, uint64_t version) {
  model.finish_grad(call);
  tenon_optimizer_stats stats = optimizer.step(call);
  model.params_updated(call, version);
  return stats;
}

// For a stage's constructor: throws if the optimizer in slot `optimizer` would refuse a stage of total_steps when it is bound.
inline void check_optimizer_steps(const Optimizer& optimizer, uint64_t total_steps) {
  try {
    optimizer.check_steps(total_steps);
  } catch (const Error& e) {
    throw Error(e.code(), std::string("optimizer: ") + e.what());
  }
}

// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace tenon::stages
