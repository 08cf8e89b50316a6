// Moments of long arrays, and advantages with mean 0 and variance 1.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/whitening.h"

#include <array>
#include <bit>

#include "algorithm_support/lanes.h"
#include "algorithm_support/rewards.h"
#include "algorithm_support/text.h"
#include "algorithm_support/token_columns.h"

namespace tenon::algorithm_support {
namespace {

// The order of integers is that of the numbers whose bits they are: the least of integers can be found in any order, so in vector code. Its own
// inverse.
inline int64_t in_order(int64_t bits) {
  return bits ^ static_cast<int64_t>(static_cast<uint64_t>(bits >> 63) >> 1);
}

TENON_FOR_EACH_PROCESSOR
void add_all(const double* x, uint64_t n, Lanes* in_out) {
  add_to_lanes(x, n, *in_out);
}

TENON_FOR_EACH_PROCESSOR
void find_range(const double* x, uint64_t n, double* least_out, double* most_out) {
  int64_t least = std::numeric_limits<int64_t>::max(), most = std::numeric_limits<int64_t>::min();
  for (uint64_t k = 0; k < n; ++k) {
    const int64_t order = in_order(std::bit_cast<int64_t>(x[k]));
    least = order < least ? order : least;
    most = order > most ? order : most;
  }
  *least_out = std::bit_cast<double>(in_order(least)), *most_out = std::bit_cast<double>(in_order(most));
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

TENON_FOR_EACH_PROCESSOR
void whiten(double* a, uint64_t n, double mean, double factor) {
  for (uint64_t k = 0; k < n; ++k) a[k] = (a[k] - mean) * factor;
}

}  // namespace

Moments Moments::of(const double* x, uint64_t n) {
  Moments m;
  if (n == 0) return m;
  Lanes sum;
  add_all(x, n, &sum);
  find_range(x, n, &m.least, &m.most);
  m.count = static_cast<double>(n), m.mean = sum.sum() / m.count;
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
