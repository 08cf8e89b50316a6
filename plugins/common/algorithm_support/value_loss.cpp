// The loss of a critic over the tokens of a sequence.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/value_loss.h"

#include "algorithm_support/text.h"

namespace tenon::algorithm_support {
namespace {

using Sums = ValueLosses::Sums;

// coef · w · value_loss of n tokens; returns how many of them are clipped.
TENON_FOR_EACH_PROCESSOR
uint64_t clipped_block(const float* __restrict value, const float* __restrict old,
                       const double* __restrict target, const double* __restrict weight, uint64_t n,
                       double coef, double clip, double* __restrict losses, double* __restrict weighted,
                       float* __restrict d_value) {
  uint64_t clipped = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const ValueLoss one = value_loss(value[k], old[k], target[k], clip);
    const double w = coef * weight[k];
    losses[k] = one.loss, weighted[k] = w * one.loss;
    d_value[k] = static_cast<float>(w * one.slope);
    clipped += one.clipped > 0 ? 1 : 0;
  }
  return clipped;
}

// The same with kNoValueClip, for which value_old need not be read.
TENON_FOR_EACH_PROCESSOR
void free_block(const float* __restrict value, const double* __restrict target,
                const double* __restrict weight, uint64_t n, double coef, double* __restrict losses,
                double* __restrict weighted, float* __restrict d_value) {
  for (uint64_t k = 0; k < n; ++k) {
    const double off = value[k] - target[k], loss = off * off / 2, w = coef * weight[k];
    losses[k] = loss, weighted[k] = w * loss;
    d_value[k] = static_cast<float>(w * off);
  }
}

TENON_FOR_EACH_PROCESSOR
void sum_block(const double* losses, const double* weighted, uint64_t n, Sums* in_out) {
  add_to_lanes(losses, n, in_out->loss);
  add_to_lanes(weighted, n, in_out->weighted);
}

TENON_FOR_EACH_PROCESSOR
bool slopes_are_finite(const float* slopes, uint64_t n) {
  return all_are_finite(slopes, n);
}

// The first token whose loss is not a number, or the one with the largest.
[[noreturn]] void throw_value_not_finite(const RolloutView& r, uint64_t i, double clip) {
  const tenon_rollout& c = r.raw();
  double largest = -1;
  uint64_t worst = r.begin(i);
  for (uint64_t t = r.begin(i); t < r.end(i) && std::isfinite(largest); ++t) {
    if (!r.scored(t)) continue;
    const double loss = value_loss(c.value[t], c.value_old[t], c.value_target[t], clip).loss;
    if (!(loss <= largest)) largest = loss, worst = t;
  }
  throw Error("the critic's loss is not finite at token " + std::to_string(worst - r.begin(i)) +
              " of sample " + std::to_string(r.sample_id(i)) + ": value " + number_text(c.value[worst]) +
              ", value_old " + number_text(c.value_old[worst]) + ", value_target " +
              number_text(c.value_target[worst]) + ". Lower the critic's learning rate");
}

}  // namespace

void ValueLosses::add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out) {
  double losses[kBlock], weighted[kBlock];
  const tenon_rollout& c = r.raw();
  const float* value = c.value + at;
  const double *target = c.value_target + at, *weight = c.weight + at;
  float* d_value = out.d_value() + at;
  if (clip_ == kNoValueClip)
    free_block(value, target, weight, n, coef_, losses, weighted, d_value);
  else
    clipped_ +=
        clipped_block(value, c.value_old + at, target, weight, n, coef_, clip_, losses, weighted, d_value);
  sum_block(losses, weighted, n, &sums_);
  tokens_ += n;
}

void ValueLosses::end(const RolloutView& r, uint64_t i, Gradient& out, ValueMetrics& metrics) const {
  const double loss = sums_.loss.sum();
  bool is_finite = std::isfinite(loss);
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    is_finite = slopes_are_finite(out.d_value() + begin, end - begin) && is_finite;
  });
  if (!is_finite) throw_value_not_finite(r, i, clip_);
  out.add_loss(sums_.weighted.sum());
  metrics.tokens_ += static_cast<double>(tokens_), metrics.loss_ += loss;
  metrics.clipped_ += static_cast<double>(clipped_);
}

}  // namespace tenon::algorithm_support
