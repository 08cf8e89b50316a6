// Blocks of tokens in vector code. Comparisons are made whether they are wanted or not, and one column is written at a time: compilers turn such loops
// into vector code.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/loss_blocks.h"

namespace tenon::algorithm_support {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a ratio is held in, by the sign of the advantage.
struct Range {
  double low, high;
};
struct Bounds {
  Range negative, zero, positive;
};

// Of the loss: where the advantage is 0, clip's ratio is 1, so that one that overflows does no harm.
Bounds bounds_of_loss(const PolicyLoss& p) {
  const Range whole{1 - p.clip.low, 1 + p.clip.high};
  if (p.objective == Objective::kCispo) return {whole, whole, whole};
  return {{whole.low, p.clip.cap}, {1, 1}, {-kInfinity, whole.high}};
}
// Of the counts: no bound takes anything from an advantage of 0.
Bounds bounds_of_counts(const PolicyLoss& p) {
  Bounds bounds = bounds_of_loss(p);
  if (p.objective == Objective::kClip) bounds.zero = {-kInfinity, kInfinity};
  return bounds;
}

inline Range range_of(const Bounds& bounds, double a) {
  const bool negative = a<0, positive = a> 0;
  double low = negative ? bounds.negative.low : bounds.zero.low;
  double high = negative ? bounds.negative.high : bounds.zero.high;
  low = positive ? bounds.positive.low : low;
  high = positive ? bounds.positive.high : high;
  return {low, high};
}

// A token's loss and its slope, before the weight.
struct Term {
  double loss, slope;
};
struct ClipTerm {
  Bounds bounds;
  Term operator()(double a, double ratio, float) const {
    const Range range = range_of(bounds, a);
    const double raised = ratio < range.low ? range.low : ratio;
    const double bounded = raised > range.high ? range.high : raised;
    const double all = -a * bounded;
    return {all, bounded == ratio ? all : 0};
  }
};
struct CispoTerm {
  Bounds bounds;
  Term operator()(double a, double ratio, float lp_new) const {
    const double raised = ratio < bounds.zero.low ? bounds.zero.low : ratio;
    const double slope = -a * (raised > bounds.zero.high ? bounds.zero.high : raised);
    return {slope * static_cast<double>(lp_new), slope};
  }
};

template <class TermOf>
__attribute__((always_inline)) inline void terms(TermOf term_of, const double* __restrict ratio,
                                                 const double* __restrict advantage,
                                                 const float* __restrict lp_new, uint64_t n,
                                                 double* __restrict loss, double* __restrict slope) {
  for (uint64_t k = 0; k < n; ++k) {
    const Term term = term_of(advantage[k], ratio[k], lp_new[k]);
    loss[k] = term.loss, slope[k] = term.slope;
  }
}
TENON_FOR_EACH_PROCESSOR
void clip_terms(ClipTerm term, const double* ratio, const double* a, const float* lp_new, uint64_t n,
                double* loss, double* slope) {
  terms(term, ratio, a, lp_new, n, loss, slope);
}
TENON_FOR_EACH_PROCESSOR
void cispo_terms(CispoTerm term, const double* ratio, const double* a, const float* lp_new, uint64_t n,
                 double* loss, double* slope) {
  terms(term, ratio, a, lp_new, n, loss, slope);
}

template <class TermOf>
__attribute__((always_inline)) inline void token_losses(TermOf term_of, const TokenBlock& in, uint64_t n,
                                                        float* __restrict slopes, Lanes* sum) {
  const double* __restrict ratio = in.ratio, * __restrict advantage = in.advantage, * __restrict weight = in.weight;
  const double* __restrict more_loss = in.more_loss, * __restrict more_slope = in.more_slope;
  const float* __restrict lp_new = in.lp_new;
  double loss[kBlock];
  if (more_loss == nullptr) {
    for (uint64_t k = 0; k < n; ++k) {
      const Term term = term_of(advantage[k], ratio[k], lp_new[k]);
      loss[k] = weight[k] * term.loss;
      slopes[k] = static_cast<float>(weight[k] * term.slope);
    }
  } else {
    for (uint64_t k = 0; k < n; ++k) {
      const Term term = term_of(advantage[k], ratio[k], lp_new[k]);
      loss[k] = weight[k] * (term.loss + in.beta * more_loss[k]);
      slopes[k] = static_cast<float>(weight[k] * (term.slope + in.beta * more_slope[k]));
    }
  }
  add_to_lanes(loss, n, *sum);
}
TENON_FOR_EACH_PROCESSOR
void clip_losses(ClipTerm term, const TokenBlock* in, uint64_t n, float* slopes, Lanes* sum) {
  token_losses(term, *in, n, slopes, sum);
}
TENON_FOR_EACH_PROCESSOR
void cispo_losses(CispoTerm term, const TokenBlock* in, uint64_t n, float* slopes, Lanes* sum) {
  token_losses(term, *in, n, slopes, sum);
}

TENON_FOR_EACH_PROCESSOR
void count(const double* __restrict ratio, const double* __restrict advantage, uint64_t n, Bounds bounds,
           int64_t* __restrict below_out, int64_t* __restrict above_out) {
  int64_t below = 0, above = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const Range range = range_of(bounds, advantage[k]);
    below += ratio[k] < range.low ? 1 : 0;
    above += ratio[k] > range.high ? 1 : 0;
  }
  *below_out += below, *above_out += above;
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

void policy_block(const PolicyLoss& policy, const double* ratio, const double* advantage, const float* lp_new,
                  uint64_t n, double* loss, double* slope) {
  const Bounds bounds = bounds_of_loss(policy);
  if (policy.objective == Objective::kClip)
    clip_terms({bounds}, ratio, advantage, lp_new, n, loss, slope);
  else
    cispo_terms({bounds}, ratio, advantage, lp_new, n, loss, slope);
}

void add_token_block(const PolicyLoss& policy, const TokenBlock& in, uint64_t n, float* slopes, Lanes* sum) {
  const Bounds bounds = bounds_of_loss(policy);
  if (policy.objective == Objective::kClip)
    clip_losses({bounds}, &in, n, slopes, sum);
  else
    cispo_losses({bounds}, &in, n, slopes, sum);
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

void count_bounds(const PolicyLoss& policy, const double* ratio, const double* advantage, uint64_t n,
                  int64_t* below, int64_t* above) {
  count(ratio, advantage, n, bounds_of_counts(policy), below, above);
}

TENON_FOR_EACH_PROCESSOR
void add_ratios(const double* __restrict ratio, const float* __restrict lp_new,
                const float* __restrict lp_old, uint64_t n, PolicyLosses::Ratios* __restrict to) {
  double bounded[kBlock], log_ratio[kBlock];
  int64_t least = to->least, most = to->most;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = ratio[k] < kLargestRatio ? ratio[k] : kLargestRatio;
    const int64_t bits = std::bit_cast<int64_t>(x);
    least = bits < least ? bits : least;
    most = bits > most ? bits : most;
    bounded[k] = x;
    log_ratio[k] = static_cast<double>(lp_new[k]) - static_cast<double>(lp_old[k]);
  }
  add_to_lanes(bounded, n, to->ratio);
  add_to_lanes(log_ratio, n, to->log_ratio);
  to->tokens += n, to->least = least, to->most = most;
}

bool derivatives_are_finite(const RolloutView& r, uint64_t i, const float* d) {
  bool finite = true;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) { finite = are_finite(d + begin, end - begin) && finite; });
  return finite;
}

}  // namespace tenon::algorithm_support
