// The loop that policy-gradient algorithms with a ratio have in common: over the scored tokens of all valid sequences, with the ratio of each at
// hand. What is inside the loop is the algorithm's own equation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/ratios.h"

namespace tenon::algorithm_support {

// The loss of one token before its weight, and its derivative by lp_new. below, above: 1 where the ratio's lower or upper bound removed the
// gradient, else 0.
struct TokenLoss {
  double loss = 0, slope = 0, below = 0, above = 0;
};

// PPO's clipped surrogate (Schulman et al., arXiv 1707.06347, eq. 7), minimised: −min(ρA, clip(ρ, 1 − low, 1 + high) A). Its slope is −ρA, and 0
// for A > 0 and ρ > 1 + high or A < 0 and ρ < 1 − low. 0 where A is 0, also for a ratio that overflows.
inline TokenLoss clipped_surrogate(double a, double ratio, double low, double high) {
  const bool above = a > 0 && ratio > 1 + high, below = a < 0 && ratio < 1 - low;
  const double bounded = above ? 1 + high : below ? 1 - low : a == 0 ? 1 : ratio;
  const double loss = -a * bounded;
  return {loss, above || below || a == 0 ? 0 : loss, below ? 1.0 : 0.0, above ? 1.0 : 0.0};
}

// ratio/mean, /min, /max, clip_ratio/low, /high and policy_kl, over the scored tokens given.
class RatioMetrics {
 public:
  void add(double ratio, double log_ratio, const TokenLoss& loss) {
    tokens_ += 1, ratio_ += ratio, below_ += loss.below, above_ += loss.above, policy_kl_ -= log_ratio;
    least_ = std::min(least_, ratio), most_ = std::max(most_, ratio);
  }
  // is_clipped: the algorithm bounds the ratio.
  void report(const Gradient& out, bool is_clipped = true) const {
    out.metric("ratio/mean", ratio_, tokens_);
    if (tokens_ > 0) out.metric_min("ratio/min", least_), out.metric_max("ratio/max", most_);
    if (is_clipped) out.metric("clip_ratio/low", below_, tokens_), out.metric("clip_ratio/high", above_, tokens_);
    out.metric("policy_kl", policy_kl_, tokens_);
  }

 private:
  double tokens_ = 0, ratio_ = 0, below_ = 0, above_ = 0, policy_kl_ = 0;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -std::numeric_limits<double>::infinity();
};

// Adds Σ w_t term(i, t, ρ_t) and its derivatives to `out`, for the scored tokens t of the valid sequences i, ρ_t = exp(lp_new − lp_old). `term`
// returns a TokenLoss. Throws throw_not_finite's error for a token whose loss or slope is not finite.
template <class Term>
void add_token_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Term&& term) {
  constexpr uint64_t kBlock = 512;
  std::array<double, kBlock> ratio;
  float* slopes = out.d_logprob();
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    double sum = 0;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t at = begin; at < end; at += kBlock) {
        const uint64_t n = std::min(kBlock, end - at);
        exp_of_differences(r.raw().lp_new + at, r.raw().lp_old + at, n, ratio.data());
        for (uint64_t k = 0; k < n; ++k) {
          const uint64_t t = at + k;
          const TokenLoss token = term(i, t, ratio[k]);
          const double w = r.weight(t), loss = w * token.loss, slope = w * token.slope;
          if (!(std::abs(loss) + std::abs(slope) <= std::numeric_limits<double>::max())) throw_not_finite(r, i, t);
          sum += loss;
          slopes[t] = static_cast<float>(slope);
          metrics.add(ratio[k], r.lp_new(t) - r.lp_old(t), token);
        }
      }
    });
    out.add_loss(sum);
  }
}

}  // namespace tenon::algorithm_support
