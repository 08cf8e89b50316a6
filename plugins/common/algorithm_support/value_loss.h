// The loss of a critic, as PPO has it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {

inline constexpr double kNoValueClip = std::numeric_limits<double>::infinity();

struct ValueLoss {
  double loss, slope, clipped;  // slope: by the value; clipped: 1 where the bound removed it, else 0
};

// max((v − R)², (clip(v, old ± clip) − R)²) / 2, R: target. Its slope is v − R, and 0 where the second square is the larger one.
inline ValueLoss value_loss(double value, double old, double target, double clip) {
  const double off = value - target, low = old - clip, high = old + clip;
  const double raised = value < low ? low : value;
  const double bounded = (raised > high ? high : raised) - target;
  const double free_loss = off * off / 2, bounded_loss = bounded * bounded / 2;
  const bool clipped = bounded_loss > free_loss;
  return {clipped ? bounded_loss : free_loss, clipped ? 0 : off, clipped ? 1.0 : 0.0};
}

// value/loss (before its coefficient) and value/clip_ratio, over the scored tokens given.
class ValueMetrics {
 public:
  void report(const Gradient& out, bool is_clipped) const {
    out.metric("value/loss", loss_, tokens_);
    if (is_clipped) out.metric("value/clip_ratio", clipped_, tokens_);
  }

 private:
  friend class ValueLosses;
  double tokens_ = 0, loss_ = 0, clipped_ = 0;
};

// Σ w_t coef value_loss(value, value_old, value_target, clip) over the scored tokens t of one sequence, block by block (for_blocks, in its order), in
// vector code.
class ValueLosses {
 public:
  struct Sums {
    Lanes loss, weighted;
  };

  ValueLosses(double coef, double clip) : coef_(coef), clip_(clip) {}
  // Derivatives of tokens [at, at + n) to `out`.
  void add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out);
  // The loss of sequence i to `out`, after the last block. Throws for a loss that is not finite, naming the token.
  void end(const RolloutView& r, uint64_t i, Gradient& out, ValueMetrics& metrics) const;

 private:
  double coef_, clip_;
  Sums sums_;
  uint64_t tokens_ = 0, clipped_ = 0;
};

}  // namespace tenon::algorithm_support
