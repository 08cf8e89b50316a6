// The clipped surrogate over whole columns, eight tokens at a time.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/policy_loss.h"

#include <cstring>

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

constexpr uint64_t kBlock = 512;

struct Bounds {
  double low, high, cap;  // of the ratio
};

struct Sums {
  Lanes loss{}, ratio{}, log_ratio{}, least{}, most{};
  LaneBits below{}, above{}, bad{};  // −1 for each
};

// clipped_surrogate and its sums for eight tokens. counted: the ratios that are part of the mean.
inline __attribute__((always_inline)) void eight_tokens(const Lanes& a, const Lanes& w, const Lanes& ratio,
                                                        const Lanes& counted, const Lanes& log_ratio,
                                                        const Bounds& bounds, float* slopes, Sums& sums) {
  const LaneBits above = (a > 0) & (ratio > bounds.high), below = (a < 0) & (ratio < bounds.low),
                 capped = (a < 0) & (ratio > bounds.cap);
  const LaneBits none = a == 0;
  const Lanes bounded =
      choose(above, all(bounds.high),
             choose(below, all(bounds.low), choose(capped, all(bounds.cap), choose(none, all(1), ratio))));
  const Lanes loss = w * (-a * bounded), slope = choose(above | below | capped | none, all(0), loss);
  sums.loss += loss, sums.ratio += counted, sums.log_ratio += log_ratio;
  sums.below += below, sums.above += above | capped;
  sums.least = choose(ratio < sums.least, ratio, sums.least),
  sums.most = choose(ratio > sums.most, ratio, sums.most);
  sums.bad |=
      ~((absolute(loss) <= std::numeric_limits<double>::max()) &
        (absolute(slope) <= static_cast<double>(std::numeric_limits<float>::max())) & (ratio == ratio));
  const FloatLanes narrow = __builtin_convertvector(slope, FloatLanes);
  std::memcpy(slopes, &narrow, sizeof narrow);
}

TENON_FOR_EACH_PROCESSOR
void clipped_block(const float* lp_new, const float* lp_old, const double* ratio, const double* advantage,
                   const double* weight, uint64_t n, const Bounds& bounds, float* slopes, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    const Lanes rho = load(ratio + k), log_ratio = load(lp_new + k) - load(lp_old + k);
    eight_tokens(load(advantage + k), load(weight + k), rho, rho, log_ratio, bounds, slopes + k, sums);
  }
  if (k < n) {  // the rest, filled up with tokens that have no advantage and the ratio of the first
    double a[kLanes]{}, w[kLanes]{}, rho[kLanes], counted[kLanes]{}, log_ratio[kLanes]{};
    float slope[kLanes];
    for (uint64_t l = 0; l < kLanes; ++l) rho[l] = ratio[k];
    for (uint64_t l = 0; k + l < n; ++l) {
      a[l] = advantage[k + l], w[l] = weight[k + l], rho[l] = counted[l] = ratio[k + l];
      log_ratio[l] = static_cast<double>(lp_new[k + l]) - static_cast<double>(lp_old[k + l]);
    }
    eight_tokens(load(a), load(w), load(rho), load(counted), load(log_ratio), bounds, slope, sums);
    std::memcpy(slopes + k, slope, (n - k) * sizeof(float));
  }
  *in_out = sums;
}

}  // namespace

class ClippedLosses {
 public:
  static void add(const RolloutView& r, uint64_t i, const Bounds& bounds, Gradient& out,
                  RatioMetrics& metrics) {
    alignas(64) double ratio[kBlock];
    Sums sums;
    sums.least = all(std::numeric_limits<double>::infinity()), sums.most = -sums.least;
    const tenon_rollout& c = r.raw();
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t at = begin; at < end; at += kBlock) {
        const uint64_t n = std::min(kBlock, end - at);
        exp_of_differences(c.lp_new + at, c.lp_old + at, n, ratio);
        clipped_block(c.lp_new + at, c.lp_old + at, ratio, c.advantage + at, c.weight + at, n, bounds,
                      out.d_logprob() + at, &sums);
        if (total(sums.bad) != 0) name_the_token(r, i, at, at + n, ratio, bounds);
      }
      metrics.tokens_ += static_cast<double>(end - begin);
    });
    out.add_loss(total(sums.loss));
    metrics.ratio_ += total(sums.ratio), metrics.policy_kl_ -= total(sums.log_ratio);
    metrics.below_ -= static_cast<double>(total(sums.below)),
        metrics.above_ -= static_cast<double>(total(sums.above));
    for (uint64_t l = 0; l < kLanes; ++l)
      metrics.least_ = std::min(metrics.least_, sums.least[l]),
      metrics.most_ = std::max(metrics.most_, sums.most[l]);
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
