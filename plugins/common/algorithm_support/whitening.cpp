// Moments of long arrays, and advantages with mean 0 and variance 1.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/whitening.h"

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

struct Sums {
  Lanes sum, least, most;
};

inline __attribute__((always_inline)) void add_lanes(const double* x, uint64_t n, Sums& sums) {
  for (uint64_t l = 0; l < n; ++l) {
    sums.sum.at[l] += x[l];
    sums.least.at[l] = x[l] < sums.least.at[l] ? x[l] : sums.least.at[l];
    sums.most.at[l] = x[l] > sums.most.at[l] ? x[l] : sums.most.at[l];
  }
}

TENON_FOR_EACH_PROCESSOR
void add_all(const double* x, uint64_t n, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) add_lanes(x + k, kLanes, sums);
  add_lanes(x + k, n - k, sums);
  *in_out = sums;
}

TENON_FOR_EACH_PROCESSOR
void add_squares(const double* x, uint64_t n, double mean, Lanes* in_out) {
  Lanes squares = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (uint64_t l = 0; l < kLanes; ++l) squares.at[l] += (x[k + l] - mean) * (x[k + l] - mean);
  for (uint64_t l = 0; l < n - k; ++l) squares.at[l] += (x[k + l] - mean) * (x[k + l] - mean);
  *in_out = squares;
}

}  // namespace

Moments Moments::of(const double* x, uint64_t n) {
  Moments m;
  if (n == 0) return m;
  Sums sums;
  for (uint64_t l = 0; l < kLanes; ++l) sums.least.at[l] = m.least, sums.most.at[l] = m.most;
  add_all(x, n, &sums);
  for (double least : sums.least.at) m.least = std::min(m.least, least);
  for (double most : sums.most.at) m.most = std::max(m.most, most);
  m.count = static_cast<double>(n), m.mean = sums.sum.sum() / m.count;
  Lanes squares;
  add_squares(x, n, m.mean, &squares);
  m.squares = squares.sum();
  return m;
}

void Moments::add(const Moments& o) {
  if (o.count == 0) return;
  const double n = count + o.count, apart = o.mean - mean;
  mean += apart * (o.count / n);
  squares += o.squares + apart * apart * (count * (o.count / n));
  count = n;
  least = std::min(least, o.least), most = std::max(most, o.most);
}

Moments moments_by_sample(const RolloutView& r, const std::vector<Moments>& of_sequence) {
  Moments all;
  for (uint64_t i : r.by_sample()) all.add(of_sequence[i]);
  return all;
}

Moments advantage_moments(const RolloutView& r, const std::vector<Moments>& of_sequence) {
  const Moments all = moments_by_sample(r, of_sequence);
  if (all.is_finite()) return all;
  double largest = -1;
  uint64_t worst = 0;
  for (uint64_t i : r.by_sample()) {
    const Moments& m = of_sequence[i];
    const double size = m.is_finite() ? std::max(std::abs(m.least), std::abs(m.most))
                                      : std::numeric_limits<double>::infinity();
    if (m.count > 0 && size > largest) largest = size, worst = i;
  }
  throw Error("the advantages are not finite, or too large to take their variance: those of sample " +
              std::to_string(r.sample_id(worst)) + " reach from " + std::to_string(of_sequence[worst].least) +
              " to " + std::to_string(of_sequence[worst].most) + "; its reward is " +
              std::to_string(r.total_reward(worst)));
}

Whitening::Whitening(const Moments& m)
    : mean_(m.mean),
      deviation_(std::sqrt(m.sample_variance() + 1e-8)),
      factor_(m.least < m.most ? 1 / deviation_ : 0) {}

void Whitening::apply(const RolloutView& r, Advantages& out) const {
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      for (uint64_t t = begin; t < end; ++t) out.set_token(t, (*this)(out.at(t)));
    });
  }
}

}  // namespace tenon::algorithm_support
