// Blocks of tokens in vector code. Comparisons are made whether they are wanted or not, and one column is written at a time: compilers turn such loops
// into vector code.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/loss_blocks.h"

namespace tenon::algorithm_support {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Range = Bounds::Range;

inline Range range_of(const Bounds& bounds, double a) {
  const bool negative = a<0, positive = a> 0;
  double low = negative ? bounds.negative.low : bounds.zero.low;
  double high = negative ? bounds.negative.high : bounds.zero.high;
  low = positive ? bounds.positive.low : low;
  high = positive ? bounds.positive.high : high;
  return {low, high};
}

// The loops are written out four times: of a body that they share, GCC 12 makes code that is half as fast. clip's bounds that are the same for every
// policy are constants for the same reason.
inline double clipped(double a, double ratio, double low, double cap, double high) {
  const bool negative = a<0, positive = a> 0;
  double floor = negative ? low : 1, ceiling = negative ? cap : 1;
  floor = positive ? -kInfinity : floor;
  ceiling = positive ? high : ceiling;
  const double raised = ratio < floor ? floor : ratio;
  return raised > ceiling ? ceiling : raised;
}

TENON_FOR_EACH_PROCESSOR
void clip_terms(const double* __restrict ratio, const double* __restrict advantage, uint64_t n, double low,
                double cap, double high, double* __restrict loss, double* __restrict slope) {
  for (uint64_t k = 0; k < n; ++k) {
    const double a = advantage[k], x = ratio[k], bounded = clipped(a, x, low, cap, high), all = -a * bounded;
    loss[k] = all;
    slope[k] = bounded == x ? all : 0;
  }
}
TENON_FOR_EACH_PROCESSOR
void weighted_clip_terms(const double* __restrict ratio, const double* __restrict advantage,
                         const double* __restrict weight, uint64_t n, double low, double cap, double high,
                         double* __restrict loss, float* __restrict slope) {
  for (uint64_t k = 0; k < n; ++k) {
    const double a = advantage[k], x = ratio[k], bounded = clipped(a, x, low, cap, high);
    const double all = weight[k] * (-a * bounded);
    loss[k] = all;
    slope[k] = static_cast<float>(bounded == x ? all : 0);
  }
}

TENON_FOR_EACH_PROCESSOR
void cispo_terms(const double* __restrict ratio, const double* __restrict advantage,
                 const float* __restrict lp_new, uint64_t n, double low, double high, double* __restrict loss,
                 double* __restrict slope) {
  for (uint64_t k = 0; k < n; ++k) {
    const double x = ratio[k], raised = x < low ? low : x,
                 all = -advantage[k] * (raised > high ? high : raised);
    loss[k] = all * static_cast<double>(lp_new[k]);
    slope[k] = all;
  }
}
TENON_FOR_EACH_PROCESSOR
void weighted_cispo_terms(const double* __restrict ratio, const double* __restrict advantage,
                          const double* __restrict weight, const float* __restrict lp_new, uint64_t n,
                          double low, double high, double* __restrict loss, float* __restrict slope) {
  for (uint64_t k = 0; k < n; ++k) {
    const double x = ratio[k], raised = x < low ? low : x;
    const double all = weight[k] * (-advantage[k] * (raised > high ? high : raised));
    loss[k] = all * static_cast<double>(lp_new[k]);
    slope[k] = static_cast<float>(all);
  }
}

// Of −d: k1, k2 and the slope that k3-ratio has before its ratio.
TENON_FOR_EACH_PROCESSOR
void differences(const float* __restrict a, const float* __restrict b, uint64_t n, double* __restrict out) {
  for (uint64_t k = 0; k < n; ++k) out[k] = static_cast<double>(a[k]) - static_cast<double>(b[k]);
}
TENON_FOR_EACH_PROCESSOR
void half_squares(const double* __restrict x, uint64_t n, double* __restrict out) {
  for (uint64_t k = 0; k < n; ++k) out[k] = x[k] * x[k] / 2;
}
TENON_FOR_EACH_PROCESSOR
void negate(double* x, uint64_t n) {
  for (uint64_t k = 0; k < n; ++k) x[k] = -x[k];
}

TENON_FOR_EACH_PROCESSOR
bool are_finite(const float* x, uint64_t n) {
  return all_are_finite(x, n);
}

}  // namespace

Bounds Bounds::of_loss(const PolicyLoss& p) {
  const Range whole{1 - p.clip.low, 1 + p.clip.high};
  if (p.objective == Objective::kCispo) return {whole, whole, whole};
  return {{whole.low, p.clip.cap}, {1, 1}, {-kInfinity, whole.high}};
}

Bounds Bounds::of_counts(const PolicyLoss& p) {
  Bounds bounds = of_loss(p);
  if (p.objective == Objective::kClip) bounds.zero = {-kInfinity, kInfinity};
  return bounds;
}

void policy_block(Objective objective, const Bounds& b, const double* ratio, const double* advantage,
                  const float* lp_new, uint64_t n, double* loss, double* slope) {
  if (objective == Objective::kClip)
    clip_terms(ratio, advantage, n, b.negative.low, b.negative.high, b.positive.high, loss, slope);
  else
    cispo_terms(ratio, advantage, lp_new, n, b.zero.low, b.zero.high, loss, slope);
}

void weighted_policy_block(Objective objective, const Bounds& b, const double* ratio, const double* advantage,
                           const double* weight, const float* lp_new, uint64_t n, double* loss,
                           float* slope) {
  if (objective == Objective::kClip)
    weighted_clip_terms(ratio, advantage, weight, n, b.negative.low, b.negative.high, b.positive.high, loss,
                        slope);
  else
    weighted_cispo_terms(ratio, advantage, weight, lp_new, n, b.zero.low, b.zero.high, loss, slope);
}

void kl_block(Kl kind, const float* lp_new, const float* lp_ref, const double* ratio, uint64_t n,
              double* value, double* slope) {
  switch (kind) {
    case Kl::kK1:
      differences(lp_new, lp_ref, n, value);
      return std::fill(slope, slope + n, 1.0);
    case Kl::kK2:
      differences(lp_new, lp_ref, n, slope);
      return half_squares(slope, n, value);
    case Kl::kK3:
      expm1_of_differences(lp_ref, lp_new, n, slope, value);
      return negate(slope, n);
    case Kl::kK3Ratio:
      expm1_of_differences(lp_ref, lp_new, n, slope, value);
      multiply(ratio, n, value);
      differences(lp_new, lp_ref, n, slope);
      return multiply(ratio, n, slope);
  }
}

TENON_FOR_EACH_PROCESSOR
void add_scaled(double factor, const double* __restrict x, uint64_t n, double* __restrict to) {
  for (uint64_t k = 0; k < n; ++k) to[k] += factor * x[k];
}

TENON_FOR_EACH_PROCESSOR
void multiply(const double* __restrict by, uint64_t n, double* __restrict to) {
  for (uint64_t k = 0; k < n; ++k) to[k] *= by[k];
}

TENON_FOR_EACH_PROCESSOR
void narrow(const double* __restrict from, uint64_t n, float* __restrict to) {
  for (uint64_t k = 0; k < n; ++k) to[k] = static_cast<float>(from[k]);
}

TENON_FOR_EACH_PROCESSOR
void add_block(const double* x, uint64_t n, Lanes* to) {
  add_to_lanes(x, n, *to);
}

TENON_FOR_EACH_PROCESSOR
void count_bounds(const Bounds& bounds, const double* __restrict ratio, const double* __restrict advantage,
                  uint64_t n, int64_t* __restrict below_out, int64_t* __restrict above_out) {
  const Bounds local = bounds;
  int64_t below = 0, above = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const Range range = range_of(local, advantage[k]);
    below += ratio[k] < range.low ? 1 : 0;
    above += ratio[k] > range.high ? 1 : 0;
  }
  *below_out += below, *above_out += above;
}

TENON_FOR_EACH_PROCESSOR
void add_ratios(const double* __restrict ratio, const float* __restrict lp_new,
                const float* __restrict lp_old, uint64_t n, PolicyLosses::Ratios* __restrict to) {
  double values[kBlock];
  int64_t least = std::bit_cast<int64_t>(kInfinity), most = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const int64_t bits = std::bit_cast<int64_t>(ratio[k]);
    least = bits < least ? bits : least;
    most = bits > most ? bits : most;
  }
  constexpr auto kMost = std::bit_cast<int64_t>(kLargestRatio);
  if (most <= kMost) {
    add_to_lanes(ratio, n, to->ratio);
  } else {
    for (uint64_t k = 0; k < n; ++k) values[k] = ratio[k] < kLargestRatio ? ratio[k] : kLargestRatio;
    add_to_lanes(values, n, to->ratio);
    least = std::min(least, kMost), most = kMost;
  }
  for (uint64_t k = 0; k < n; ++k)
    values[k] = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
  add_to_lanes(values, n, to->log_ratio);
  to->tokens += n, to->least = std::min(to->least, least), to->most = std::max(to->most, most);
}

bool derivatives_are_finite(const RolloutView& r, uint64_t i, const float* d) {
  bool finite = true;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) { finite = are_finite(d + begin, end - begin) && finite; });
  return finite;
}

}  // namespace tenon::algorithm_support
