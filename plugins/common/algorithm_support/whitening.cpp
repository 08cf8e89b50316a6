// Moments of long arrays, and advantages with mean 0 and variance 1.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/whitening.h"

#include <algorithm>
#include <array>

#include "algorithm_support/lanes.h"
#include "algorithm_support/rewards.h"
#include "algorithm_support/text.h"
#include "algorithm_support/token_columns.h"

namespace tenon::algorithm_support {
namespace {

// What is added up of numbers x: x − origin and its square, least and largest.
struct Sums {
  Lanes from, squares;
  double least[kLanes], most[kLanes];
};

inline __attribute__((always_inline)) void add_one(double x, double origin, uint64_t l, Sums& sums) {
  const double from = x - origin;
  sums.from.at[l] += from, sums.squares.at[l] += from * from;
  sums.least[l] = x < sums.least[l] ? x : sums.least[l];
  sums.most[l] = x > sums.most[l] ? x : sums.most[l];
}

TENON_FOR_EACH_PROCESSOR
void add_all(const double* x, uint64_t n, double origin, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (uint64_t l = 0; l < kLanes; ++l) add_one(x[k + l], origin, l, sums);
  for (uint64_t l = 0; k + l < n; ++l) add_one(x[k + l], origin, l, sums);
  *in_out = sums;
}

TENON_FOR_EACH_PROCESSOR
void whiten(double* a, uint64_t n, double mean, double factor) {
  for (uint64_t k = 0; k < n; ++k) a[k] = (a[k] - mean) * factor;
}

}  // namespace

// One pass: with a number of the array as origin, |mean − origin| is at most sqrt(n) deviations, so that no more than log10(n) of 16 digits are lost.
Moments Moments::of(const double* x, uint64_t n) {
  Moments m;
  if (n == 0) return m;
  Sums sums;
  std::fill(std::begin(sums.least), std::end(sums.least), x[0]);
  std::fill(std::begin(sums.most), std::end(sums.most), x[0]);
  add_all(x, n, x[0], &sums);
  m.count = static_cast<double>(n);
  const double from = sums.from.sum() / m.count;
  m.mean = x[0] + from;
  m.squares = std::max(0.0, sums.squares.sum() - m.count * from * from);
  m.least = *std::min_element(std::begin(sums.least), std::end(sums.least));
  m.most = *std::max_element(std::begin(sums.most), std::end(sums.most));
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
  const Moments& m = of_sequence[worst];
  throw Error("the advantages are not finite, or too large to take their variance: of sample " +
              std::to_string(r.sample_id(worst)) + ", " +
              what_is_not_finite(r, worst,
                                 "they reach from " + number_text(m.least) + " to " + number_text(m.most) +
                                     ", and its reward is " + number_text(r.total_reward(worst))));
}

Whitening::Whitening(const Moments& m)
    : mean_(m.mean),
      deviation_(std::sqrt(m.sample_variance() + 1e-8)),
      factor_(is_flat(std::array{m.least, m.most}) ? 0 : 1 / deviation_) {}

void Whitening::apply(const RolloutView& r, Advantages& out) const {
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      whiten(out.advantage() + begin, end - begin, mean_, factor_);
    });
  }
}

}  // namespace tenon::algorithm_support
