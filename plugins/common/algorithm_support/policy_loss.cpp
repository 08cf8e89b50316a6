// The clipped surrogate over whole columns, in vector code.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/policy_loss.h"

#include <bit>

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

constexpr uint64_t kBlock = 512;

struct Bounds {
  double low, high, cap;  // of the ratio
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

// Ratios are not negative, so their bits as integers are in their order; the least of integers can be found in any order.
struct Counts {
  int64_t below = 0, above = 0, unusable = 0;
  int64_t least = std::bit_cast<int64_t>(kInfinity), most = 0;
};

TENON_FOR_EACH_PROCESSOR
void count_block(const double* __restrict ratio, const double* __restrict advantage,
                 const double* __restrict losses, const float* __restrict slopes, uint64_t n, Bounds bounds,
                 Counts* out) {
  int64_t below = 0, above = 0, unusable = 0, least = out->least, most = out->most;
  for (uint64_t k = 0; k < n; ++k) {
    const double a = advantage[k], x = ratio[k];
    const bool negative = a<0, positive = a> 0;
    const double floor = negative ? bounds.low : -kInfinity;
    double ceiling = negative ? bounds.cap : kInfinity;
    ceiling = positive ? bounds.high : ceiling;
    below += x < floor ? 1 : 0;
    above += x > ceiling ? 1 : 0;
    unusable += std::fabs(losses[k]) <= std::numeric_limits<double>::max() ? 0 : 1;
    unusable += std::fabs(slopes[k]) <= std::numeric_limits<float>::max() ? 0 : 1;
    const int64_t bits = std::bit_cast<int64_t>(x);
    least = bits < least ? bits : least;
    most = bits > most ? bits : most;
  }
  out->below += below, out->above += above, out->unusable += unusable;
  out->least = least, out->most = most;
}

// Into the lanes, token k of a block into lane k mod kLanes.
struct Sums {
  Lanes loss, ratio, log_ratio;
};

TENON_FOR_EACH_PROCESSOR
void sum_block(const double* __restrict losses, const double* __restrict ratio,
               const float* __restrict lp_new, const float* __restrict lp_old, uint64_t n, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (uint64_t l = 0; l < kLanes; ++l) sums.loss.at[l] += losses[k + l];
    for (uint64_t l = 0; l < kLanes; ++l) sums.ratio.at[l] += ratio[k + l];
    for (uint64_t l = 0; l < kLanes; ++l)
      sums.log_ratio.at[l] += static_cast<double>(lp_new[k + l]) - static_cast<double>(lp_old[k + l]);
  }
  for (uint64_t l = 0; k + l < n; ++l) {
    sums.loss.at[l] += losses[k + l], sums.ratio.at[l] += ratio[k + l];
    sums.log_ratio.at[l] += static_cast<double>(lp_new[k + l]) - static_cast<double>(lp_old[k + l]);
  }
  *in_out = sums;
}

}  // namespace

class ClippedLosses {
 public:
  static void add(const RolloutView& r, uint64_t i, const Bounds& bounds, Gradient& out,
                  RatioMetrics& metrics) {
    double ratio[kBlock], losses[kBlock];
    Sums sums;
    Counts counts;
    const tenon_rollout& c = r.raw();
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t at = begin; at < end; at += kBlock) {
        const uint64_t n = std::min(kBlock, end - at);
        float* slopes = out.d_logprob() + at;
        exp_of_differences(c.lp_new + at, c.lp_old + at, n, ratio);
        clip_block(ratio, c.advantage + at, c.weight + at, n, bounds, losses, slopes);
        count_block(ratio, c.advantage + at, losses, slopes, n, bounds, &counts);
        if (counts.unusable != 0) name_the_token(r, i, at, at + n, ratio, bounds);
        sum_block(losses, ratio, c.lp_new + at, c.lp_old + at, n, &sums);
      }
      metrics.tokens_ += static_cast<double>(end - begin);
    });
    out.add_loss(sums.loss.sum());
    metrics.ratio_ += sums.ratio.sum(), metrics.policy_kl_ -= sums.log_ratio.sum();
    metrics.below_ += static_cast<double>(counts.below), metrics.above_ += static_cast<double>(counts.above);
    metrics.least_ = std::min(metrics.least_, std::bit_cast<double>(counts.least));
    metrics.most_ = std::max(metrics.most_, std::bit_cast<double>(counts.most));
  }

 private:
  [[noreturn]] static void name_the_token(const RolloutView& r, uint64_t i, uint64_t begin, uint64_t end,
                                          const double* ratio, const Bounds& b) {
    for (uint64_t t = begin; t < end; ++t) {
      const TokenLoss token =
          clipped_surrogate(r.advantage(t), ratio[t - begin], 1 - b.low, b.high - 1, b.cap);
      if (!is_usable(r.weight(t) * token.loss, r.weight(t) * token.slope, ratio[t - begin]))
        throw_not_finite(r, i, t);
    }
    throw_not_finite(r, i, begin);
  }
};

void add_clipped_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, double low, double high,
                        double cap) {
  const Bounds bounds{1 - low, 1 + high, cap};
  for (uint64_t i = 0; i < r.sequences(); ++i)
    if (r.valid(i)) ClippedLosses::add(r, i, bounds, out, metrics);
}

}  // namespace tenon::algorithm_support
