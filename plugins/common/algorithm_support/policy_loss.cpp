// The clipped surrogate over whole columns, in vector code.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/policy_loss.h"

namespace tenon::algorithm_support {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Bounds = ClippedLosses::Bounds;
using Counts = ClippedLosses::Counts;
using Sums = ClippedLosses::Sums;

// w · clipped_surrogate of n tokens. Comparisons are made whether they are wanted or not: the compiler turns such a loop into vector code.
TENON_FOR_EACH_PROCESSOR
void clip_block(const double* __restrict ratio, const double* __restrict advantage,
                const double* __restrict weight, uint64_t n, Bounds bounds, double* __restrict losses,
                float* __restrict slopes) {
  for (uint64_t k = 0; k < n; ++k) {
    const double a = advantage[k], x = ratio[k];
    const bool negative = a<0, positive = a> 0;
    double floor = negative ? bounds.low : 1, ceiling = negative ? bounds.cap : 1;
    floor = positive ? -kInfinity : floor;
    ceiling = positive ? bounds.high : ceiling;
    const double raised = x < floor ? floor : x;
    const double bounded = raised > ceiling ? ceiling : raised;
    const double loss = weight[k] * (-a * bounded);
    losses[k] = loss;
    slopes[k] = static_cast<float>(bounded == x ? loss : 0);
  }
}

TENON_FOR_EACH_PROCESSOR
void count_block(const double* __restrict ratio, const double* __restrict advantage, uint64_t n,
                 Bounds bounds, Counts* out) {
  int64_t below = 0, above = 0, least = out->least, most = out->most;
  for (uint64_t k = 0; k < n; ++k) {
    const double a = advantage[k], x = ratio[k];
    const bool negative = a<0, positive = a> 0;
    const double floor = negative ? bounds.low : -kInfinity;
    double ceiling = negative ? bounds.cap : kInfinity;
    ceiling = positive ? bounds.high : ceiling;
    below += x < floor ? 1 : 0;
    above += x > ceiling ? 1 : 0;
    const int64_t bits = std::bit_cast<int64_t>(x);
    least = bits < least ? bits : least;
    most = bits > most ? bits : most;
  }
  out->below += below, out->above += above;
  out->least = least, out->most = most;
}

TENON_FOR_EACH_PROCESSOR
void sum_block(const double* losses, const double* ratio, const float* lp_new, const float* lp_old,
               uint64_t n, Sums* in_out) {
  double log_ratio[kBlock];
  for (uint64_t k = 0; k < n; ++k)
    log_ratio[k] = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
  add_to_lanes(losses, n, in_out->loss);
  add_to_lanes(ratio, n, in_out->ratio);
  add_to_lanes(log_ratio, n, in_out->log_ratio);
}

TENON_FOR_EACH_PROCESSOR
bool slopes_are_finite(const float* slopes, uint64_t n) {
  return all_are_finite(slopes, n);
}

// Of the first token whose loss or slope is not finite; of the first one if only their sum is not.
[[noreturn]] void throw_first_not_finite(const RolloutView& r, uint64_t i, const Bounds& b) {
  uint64_t first = r.end(i);
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    first = std::min(first, begin);
    for (uint64_t t = begin; t < end; ++t) {
      double ratio = 0;
      exp_of_differences(r.raw().lp_new + t, r.raw().lp_old + t, 1, &ratio);
      const TokenLoss token = clipped_surrogate(r.advantage(t), ratio, 1 - b.low, b.high - 1, b.cap);
      if (!is_usable(r.weight(t) * token.loss, r.weight(t) * token.slope, ratio)) throw_not_finite(r, i, t);
    }
  });
  throw_not_finite(r, i, first);
}

}  // namespace

void ClippedLosses::add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out) {
  double ratio[kBlock], losses[kBlock];
  const tenon_rollout& c = r.raw();
  exp_of_differences(c.lp_new + at, c.lp_old + at, n, ratio);
  clip_block(ratio, c.advantage + at, c.weight + at, n, bounds_, losses, out.d_logprob() + at);
  count_block(ratio, c.advantage + at, n, bounds_, &counts_);
  sum_block(losses, ratio, c.lp_new + at, c.lp_old + at, n, &sums_);
  tokens_ += n;
}

void ClippedLosses::end(const RolloutView& r, uint64_t i, Gradient& out, RatioMetrics& metrics) const {
  const double loss = sums_.loss.sum();
  bool is_finite = std::isfinite(loss);
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    is_finite = slopes_are_finite(out.d_logprob() + begin, end - begin) && is_finite;
  });
  if (!is_finite) throw_first_not_finite(r, i, bounds_);
  out.add_loss(loss);
  metrics.tokens_ += static_cast<double>(tokens_);
  metrics.ratio_ += sums_.ratio.sum(), metrics.policy_kl_ -= sums_.log_ratio.sum();
  metrics.below_ += static_cast<double>(counts_.below);
  metrics.above_ += static_cast<double>(counts_.above);
  metrics.least_ = std::min(metrics.least_, std::bit_cast<double>(counts_.least));
  metrics.most_ = std::max(metrics.most_, std::bit_cast<double>(counts_.most));
}

void add_clipped_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, double low, double high,
                        double cap) {
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    ClippedLosses losses(low, high, cap);
    for_blocks(r, i, [&](uint64_t at, uint64_t n) { losses.add(r, at, n, out); });
    losses.end(r, i, out, metrics);
  }
}

}  // namespace tenon::algorithm_support
