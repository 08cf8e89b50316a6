// The losses that policy-gradient algorithms with a ratio have in common, over the scored tokens of all valid sequences: as the equation of one token, and
// over whole columns in vector code. The ratio is each token's here; that of a whole completion is in completion_loss.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/clip.h"
#include "algorithm_support/kl.h"
#include "algorithm_support/lanes.h"
#include "algorithm_support/ratios.h"

namespace tenon::algorithm_support {

// The loss of one token before its weight, and its derivative by lp_new. below, above: 1 where the ratio's lower or upper bound removed the
// gradient, else 0.
struct TokenLoss {
  double loss = 0, slope = 0, below = 0, above = 0;
};

// PPO's clipped surrogate (Schulman et al., arXiv 1707.06347, eq. 7), minimised: −min(ρA, clip(ρ, 1 − low, 1 + high) A). Its slope is −ρA, and 0
// for A > 0 and ρ > 1 + high or A < 0 and ρ < 1 − low. 0 where A is 0, also for a ratio that overflows.
// cap > 1 bounds the ratio of A < 0 from above, too: max(min(…), cap · A), the dual clip of Ye et al., arXiv 1912.09729, eq. 5.
inline TokenLoss clipped_surrogate(double a, double ratio, double low, double high, double cap = kNoCap) {
  const bool above = a > 0 && ratio > 1 + high, below = a < 0 && ratio < 1 - low,
             capped = a < 0 && ratio > cap;
  const double bounded = above ? 1 + high : below ? 1 - low : capped ? cap : a == 0 ? 1 : ratio;
  const double loss = -a * bounded;
  return {loss, above || below || capped || a == 0 ? 0 : loss, below ? 1.0 : 0.0,
          above || capped ? 1.0 : 0.0};
}

// clip: clipped_surrogate. cispo: −sg[clip(ρ, 1 − low, 1 + high)] A lp_new (MiniMax-M1, arXiv 2506.13585, eq. 4, with sg[] a constant): no token's
// gradient is lost, its weight is bounded.
enum class Objective { kClip, kCispo };
struct PolicyLoss {
  Clip clip;
  Objective objective = Objective::kClip;

  TokenLoss operator()(double a, double ratio, double lp_new) const {
    if (objective == Objective::kClip) return clipped_surrogate(a, ratio, clip.low, clip.high, clip.cap);
    const double low = 1 - clip.low, high = 1 + clip.high;
    const double slope = -a * (ratio < low ? low : ratio > high ? high : ratio);
    return {slope * lp_new, slope, ratio < low ? 1.0 : 0.0, ratio > high ? 1.0 : 0.0};
  }
};

// What a ratio is held in, by the sign of the advantage.
struct Bounds {
  struct Range {
    double low, high;
  };
  Range negative, zero, positive;

  // Of the loss: where the advantage is 0, clip's ratio is 1, so that one that overflows does no harm.
  static Bounds of_loss(const PolicyLoss& policy);
  // Of the counts: no bound of clip takes anything from an advantage of 0.
  static Bounds of_counts(const PolicyLoss& policy);
};

// −A lp_new, REINFORCE: every ratio is bounded to 1 and is its constant weight.
inline constexpr PolicyLoss kReinforce{{0, 0}, Objective::kCispo};

// In metrics a ratio counts as at most this, the largest number of float32: beyond it (lp_new − lp_old > 88) a mean of ratios says nothing, and may not
// be a number at all, while the loss is finite where a bound removes the token.
inline constexpr double kLargestRatio = std::numeric_limits<float>::max();

// What RatioMetrics are made of, of some tokens.
struct RatioSums {
  double tokens = 0, ratio = 0, log_ratio = 0, below = 0, above = 0;
  double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();
};

// ratio/mean, /min, /max, clip_ratio/low, /high and policy_kl, over the scored tokens given.
class RatioMetrics {
 public:
  void add(const RatioSums& of) {
    all_.tokens += of.tokens, all_.ratio += of.ratio, all_.log_ratio += of.log_ratio;
    all_.below += of.below, all_.above += of.above;
    all_.least = std::min(all_.least, of.least), all_.most = std::max(all_.most, of.most);
  }
  // is_clipped: the algorithm bounds the ratio.
  void report(const Gradient& out, bool is_clipped = true) const {
    out.metric("ratio/mean", all_.ratio, all_.tokens);
    if (all_.tokens > 0) out.metric_min("ratio/min", all_.least), out.metric_max("ratio/max", all_.most);
    if (is_clipped)
      out.metric("clip_ratio/low", all_.below, all_.tokens),
          out.metric("clip_ratio/high", all_.above, all_.tokens);
    out.metric("policy_kl", -all_.log_ratio, all_.tokens);
  }

 private:
  RatioSums all_;
};

// Whether a token's loss can be summed, its slope be stored, and its log-ratio is a number.
inline bool is_usable(double loss, double slope, double log_ratio) {
  return std::abs(loss) <= std::numeric_limits<double>::max() &&
         std::abs(slope) <= static_cast<double>(std::numeric_limits<float>::max()) &&
         std::isfinite(log_ratio);
}

// Adds Σ w_t (policy(A_t, ρ_t, lp_new_t) + β kl_t) and its derivatives to `out`, for the scored tokens t of the valid sequences, in vector code;
// ρ_t = exp(lp_new − lp_old). Bits depend on the sequence alone, not on the processor. The divergence is added to `kl_metric`, before β. Throws
// throw_not_finite's error.
void add_policy_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const PolicyLoss& policy,
                       const KlLoss& kl, KlMetric& kl_metric);
// The same without a divergence.
void add_policy_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const PolicyLoss& policy);

// The same of one sequence, block by block: for algorithms that have more columns to go through, whose reading then goes on while ratios are computed.
// Blocks are for_blocks', in its order.
class PolicyLosses {
 public:
  explicit PolicyLosses(const PolicyLoss& policy, const KlLoss& kl = {})
      : policy_(policy), kl_(kl), bounds_(Bounds::of_loss(policy)), counted_(Bounds::of_counts(policy)) {}
  // Derivatives of tokens [at, at + n) to `out`.
  void add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out);
  // The loss of sequence i to `out`, after the last block. Throws throw_not_finite's error.
  void end(const RolloutView& r, uint64_t i, Gradient& out, RatioMetrics& metrics) const;
  // Σ kl_t of the blocks and how many tokens that is, for the metric.
  void add_kl(KlMetric& to) const {
    if (kl_.is_there) to.add(kl_sum_.sum(), static_cast<double>(ratios_.tokens));
  }

  // Sums over tokens whose ratios differ. Ratios are not negative, so their bits as integers are in their order; the least of integers can be found in
  // any order.
  struct Ratios {
    uint64_t tokens = 0;
    int64_t below = 0, above = 0;
    int64_t least = std::bit_cast<int64_t>(std::numeric_limits<double>::infinity()), most = 0;
    Lanes ratio, log_ratio;

    RatioSums sums() const;
  };

 private:
  // Fills the weighted losses and slopes of a block.
  void add_with_kl(const tenon_rollout& columns, uint64_t at, uint64_t n, const double* ratio, double* loss,
                   float* slopes);

  PolicyLoss policy_;
  KlLoss kl_;
  Bounds bounds_, counted_;
  Ratios ratios_;
  Lanes loss_, kl_sum_;
};

}  // namespace tenon::algorithm_support
