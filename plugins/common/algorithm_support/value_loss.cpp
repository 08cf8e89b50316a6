// The loss of a critic over the tokens of a sequence.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/value_loss.h"

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

struct Sums {
  Lanes loss, weighted, clipped, largest;
};

// value_loss and its sums for tokens t … t + n, n <= kLanes.
inline __attribute__((always_inline)) void add_lanes(const tenon_rollout& r, uint64_t t, uint64_t n,
                                                     double coef, double clip, float* d_value, Sums& sums) {
  for (uint64_t l = 0; l < n; ++l) {
    const ValueLoss one = value_loss(r.value[t + l], r.value_old[t + l], r.value_target[t + l], clip);
    const double w = coef * r.weight[t + l], slope = w * one.slope, size = std::fabs(slope);
    sums.loss.at[l] += one.loss, sums.weighted.at[l] += w * one.loss, sums.clipped.at[l] += one.clipped;
    sums.largest.at[l] = size > sums.largest.at[l] ? size : sums.largest.at[l];
    d_value[t + l] = static_cast<float>(slope);
  }
}

TENON_FOR_EACH_PROCESSOR
void add_run(const tenon_rollout& rollout, uint64_t begin, uint64_t end, double coef, double clip,
             float* d_value, Sums* in_out) {
  const tenon_rollout r = rollout;
  Sums sums = *in_out;
  uint64_t t = begin;
  for (; t + kLanes <= end; t += kLanes) add_lanes(r, t, kLanes, coef, clip, d_value, sums);
  add_lanes(r, t, end - t, coef, clip, d_value, sums);
  *in_out = sums;
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
              " of sample " + std::to_string(r.sample_id(i)) + ": value " + std::to_string(c.value[worst]) +
              ", value_old " + std::to_string(c.value_old[worst]) + ", value_target " +
              std::to_string(c.value_target[worst]) + ". Lower the critic's learning rate");
}

}  // namespace

// What add_value_losses does; a class, as ValueMetrics has it for a friend.
class ValueLosses {
 public:
  static void add(const RolloutView& r, uint64_t i, double coef, double clip, Gradient& out,
                  ValueMetrics& metrics) {
    Sums sums;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      add_run(r.raw(), begin, end, coef, clip, out.d_value(), &sums);
      metrics.tokens_ += static_cast<double>(end - begin);
    });
    double largest = 0;
    for (double x : sums.largest.at) largest = std::max(largest, x);
    const double loss = sums.loss.sum();
    if (!std::isfinite(loss) || largest > std::numeric_limits<float>::max())
      throw_value_not_finite(r, i, clip);
    out.add_loss(sums.weighted.sum());
    metrics.loss_ += loss, metrics.clipped_ += sums.clipped.sum();
  }
};

void add_value_losses(const RolloutView& r, uint64_t i, double coef, double clip, Gradient& out,
                      ValueMetrics& metrics) {
  ValueLosses::add(r, i, coef, clip, out, metrics);
}

}  // namespace tenon::algorithm_support
