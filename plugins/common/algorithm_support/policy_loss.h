// The loops that policy-gradient algorithms with a ratio have in common: over the scored tokens of all valid sequences, with the ratio of each, or of
// the whole completion, at hand. What is inside the loop is the algorithm's own equation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/clip.h"
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

// ratio/mean, /min, /max, clip_ratio/low, /high and policy_kl, over the scored tokens given.
class RatioMetrics {
 public:
  void add(double ratio, double log_ratio, const TokenLoss& loss) {
    tokens_ += 1, ratio_ += ratio, below_ += loss.below, above_ += loss.above, policy_kl_ -= log_ratio;
    least_ = std::min(least_, ratio), most_ = std::max(most_, ratio);
  }
  // What `add` of all tokens of other came to.
  void add(const RatioMetrics& other) {
    tokens_ += other.tokens_, ratio_ += other.ratio_, below_ += other.below_, above_ += other.above_;
    policy_kl_ += other.policy_kl_;
    least_ = std::min(least_, other.least_), most_ = std::max(most_, other.most_);
  }
  // is_clipped: the algorithm bounds the ratio.
  void report(const Gradient& out, bool is_clipped = true) const {
    out.metric("ratio/mean", ratio_, tokens_);
    if (tokens_ > 0) out.metric_min("ratio/min", least_), out.metric_max("ratio/max", most_);
    if (is_clipped)
      out.metric("clip_ratio/low", below_, tokens_), out.metric("clip_ratio/high", above_, tokens_);
    out.metric("policy_kl", policy_kl_, tokens_);
  }

 private:
  friend class ClippedLosses;
  double tokens_ = 0, ratio_ = 0, below_ = 0, above_ = 0, policy_kl_ = 0;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -std::numeric_limits<double>::infinity();
};

// Whether a token's loss can be summed and its slope be stored, and its ratio is a number.
inline bool is_usable(double loss, double slope, double ratio) {
  return std::abs(loss) <= std::numeric_limits<double>::max() &&
         std::abs(slope) <= static_cast<double>(std::numeric_limits<float>::max()) && !std::isnan(ratio);
}

// Adds Σ w_t term(i, t, ρ_t) and its derivatives to `out`, for the scored tokens t of the valid sequences i, ρ_t = exp(lp_new − lp_old). `term`
// returns a TokenLoss. Throws throw_not_finite's error for a token whose loss or slope is not finite.
template <class Term>
void add_token_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Term&& term) {
  double ratio[kBlock];
  float* slopes = out.d_logprob();
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    double sum = 0;
    RatioMetrics of_this;  // whose address nobody has: it stays in registers
    for_blocks(r, i, [&](uint64_t at, uint64_t n) {
      exp_of_differences(r.raw().lp_new + at, r.raw().lp_old + at, n, ratio);
      for (uint64_t k = 0; k < n; ++k) {
        const uint64_t t = at + k;
        const TokenLoss token = term(i, t, ratio[k]);
        const double w = r.weight(t), loss = w * token.loss, slope = w * token.slope;
        if (!is_usable(loss, slope, ratio[k])) throw_not_finite(r, i, t);
        sum += loss;
        slopes[t] = static_cast<float>(slope);
        of_this.add(ratio[k], r.lp_new(t) - r.lp_old(t), token);
      }
    });
    metrics.add(of_this);
    out.add_loss(sum);
  }
}

// add_token_losses with clipped_surrogate(advantage, ρ, low, high, cap) for its term, in vector code: the same derivatives to the bit, and the same
// loss and metrics but for the order in which they are added up, which depends on the sequence alone.
void add_clipped_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, double low, double high,
                        double cap = kNoCap);

// The same of one sequence, block by block: for algorithms that have more columns to go through, whose reading then goes on while ratios are computed.
// Blocks are for_blocks', in its order.
class ClippedLosses {
 public:
  struct Bounds {
    double low, high, cap;  // of the ratio
  };
  // Ratios are not negative, so their bits as integers are in their order; the least of integers can be found in any order.
  struct Counts {
    int64_t below = 0, above = 0;
    int64_t least = std::bit_cast<int64_t>(std::numeric_limits<double>::infinity()), most = 0;
  };
  struct Sums {
    Lanes loss, ratio, log_ratio;
  };

  ClippedLosses(double low, double high, double cap) : bounds_{1 - low, 1 + high, cap} {}
  // Derivatives of tokens [at, at + n) to `out`.
  void add(const RolloutView& r, uint64_t at, uint64_t n, Gradient& out);
  // The loss of sequence i to `out`, after the last block. Throws throw_not_finite's error.
  void end(const RolloutView& r, uint64_t i, Gradient& out, RatioMetrics& metrics) const;

 private:
  Bounds bounds_;
  Counts counts_;
  Sums sums_;
  uint64_t tokens_ = 0;
};

// The ratio of a whole completion: the product of its tokens' (DeepSeek-R1, arXiv 2501.12948, eq. 1), or their geometric mean (GSPO, arXiv 2507.18071,
// eq. 7), over its scored tokens.
enum class Whole { kProduct, kGeometricMean };
struct Completion {
  double tokens = 0, log_ratio = 0;  // Σ (lp_new − lp_old)
  double share(Whole whole) const {
    return whole == Whole::kProduct ? 1 : 1 / tokens;
  }  // d log(ratio) / d lp_new, of each token
  double ratio(Whole whole) const { return std::exp(log_ratio * share(whole)); }
};
inline Completion completion_of(const RolloutView& r, uint64_t i) {
  Completion c;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    c.tokens += static_cast<double>(end - begin);
    c.log_ratio += sum_of_differences(r.raw().lp_new + begin, r.raw().lp_old + begin, end - begin);
  });
  return c;
}

// What one token adds to a loss that goes by the ratio of its completion. of_ratio: a function of that ratio; its slope is by the ratio's logarithm.
// own: a function of the token's own lp_new.
struct CompletionLoss {
  TokenLoss of_ratio, own;
};

// Adds Σ w_t term(i, t, ratio) and its derivatives to `out`: every token's lp_new has share · Σ_t w_t of_ratio.slope, and its own part. Metrics are over
// tokens, each with the ratio of its completion. Throws as add_token_losses.
template <class Term>
void add_completion_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Whole whole,
                           Term&& term) {
  float* slopes = out.d_logprob();
  std::vector<double> own;
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    const Completion c = completion_of(r, i);
    const double ratio = c.ratio(whole), share = c.share(whole);
    double sum = 0, shared = 0;
    own.clear();
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t t = begin; t < end; ++t) {
        const CompletionLoss token = term(i, t, ratio);
        const double w = r.weight(t), loss = w * (token.of_ratio.loss + token.own.loss);
        const double slope = w * token.of_ratio.slope;
        own.push_back(w * token.own.slope);
        if (!is_usable(loss, slope, ratio) || !is_usable(loss, own.back(), ratio)) throw_not_finite(r, i, t);
        sum += loss, shared += slope;
        metrics.add(ratio, r.lp_new(t) - r.lp_old(t),
                    {0, 0, token.of_ratio.below + token.own.below, token.of_ratio.above + token.own.above});
      }
    });
    const double* next = own.data();
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t t = begin; t < end; ++t) slopes[t] = static_cast<float>(share * shared + *next++);
    });
    out.add_loss(sum);
  }
}

}  // namespace tenon::algorithm_support
