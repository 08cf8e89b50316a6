// Mean and variance over all tokens of a rollout, and advantages with mean 0 and variance 1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <limits>
#include <vector>

#include "algorithm_support/algorithm_support.h"

namespace tenon::algorithm_support {

// Count, mean, sum of squared deviations from it, least and largest of some numbers. Centred, so that a small variance of large numbers keeps its
// digits. Those of parts can be put together (Chan, Golub and LeVeque, 1979).
struct Moments {
  double count = 0, mean = 0, squares = 0;
  double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();

  // Of x[n], added up in eight fixed lanes.
  static Moments of(const double* x, uint64_t n) {
    Moments m;
    if (n == 0) return m;
    m.count = static_cast<double>(n);
    m.mean = sum(n, [x](uint64_t k) { return x[k]; }) / m.count;
    m.squares = sum(n, [x, mean = m.mean](uint64_t k) { return (x[k] - mean) * (x[k] - mean); });
    for (uint64_t k = 0; k < n; ++k) m.least = std::min(m.least, x[k]), m.most = std::max(m.most, x[k]);
    return m;
  }
  void add(const Moments& o) {
    if (o.count == 0) return;
    const double n = count + o.count, apart = o.mean - mean;
    mean += apart * (o.count / n);
    squares += o.squares + apart * apart * (count * (o.count / n));
    count = n;
    least = std::min(least, o.least), most = std::max(most, o.most);
  }

  // With Bessel's correction; 0 of fewer than two numbers.
  double sample_variance() const { return count < 2 ? 0 : squares / (count - 1); }
  double variance() const { return count == 0 ? 0 : squares / count; }
  bool is_finite() const { return std::isfinite(mean) && std::isfinite(squares); }

 private:
  template <class At>
  static double sum(uint64_t n, At&& at) {
    std::array<double, 8> lane{};
    uint64_t k = 0;
    for (; k + 8 <= n; k += 8)
      for (uint64_t j = 0; j < 8; ++j) lane[j] += at(k + j);
    for (; k < n; ++k) lane[k % 8] += at(k);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  }
};

// The moments of a whole rollout from those of its sequences ([n_seq]; only the valid ones count), put together by sample id: the bits do not
// depend on where the sequences stand.
inline Moments moments_by_sample(const RolloutView& r, const std::vector<Moments>& of_sequence) {
  Moments all;
  for (uint64_t i : r.by_sample()) all.add(of_sequence[i]);
  return all;
}

// The same, of advantages. Throws if they are not finite, naming the sample.
inline Moments advantage_moments(const RolloutView& r, const std::vector<Moments>& of_sequence) {
  const Moments all = moments_by_sample(r, of_sequence);
  if (all.is_finite()) return all;
  double largest = -1;
  uint64_t worst = 0;
  for (uint64_t i : r.by_sample()) {
    const Moments& m = of_sequence[i];
    const double size = m.is_finite() ? std::max(std::abs(m.least), std::abs(m.most)) : std::numeric_limits<double>::infinity();
    if (m.count > 0 && size > largest) largest = size, worst = i;
  }
  throw Error("the advantages are not finite, or too large to take their variance: those of sample " + std::to_string(r.sample_id(worst)) +
              " reach from " + std::to_string(of_sequence[worst].least) + " to " + std::to_string(of_sequence[worst].most) + "; its reward is " +
              std::to_string(r.total_reward(worst)));
}

// A ↦ (A − mean) / sqrt(variance + 1e-8) with Bessel's variance, as TRL's `masked_whiten` and verl's. Everything becomes 0, exactly, where all
// numbers are equal.
class Whitening {
 public:
  explicit Whitening(const Moments& m) : mean_(m.mean), deviation_(std::sqrt(m.sample_variance() + 1e-8)), is_constant_(m.least >= m.most) {}
  double mean() const { return mean_; }
  double deviation() const { return deviation_; }
  double operator()(double a) const { return is_constant_ ? 0 : (a - mean_) / deviation_; }

  // Whitens what is in `out`, at the scored tokens of the valid sequences.
  void apply(const RolloutView& r, Advantages& out) const {
    const double factor = is_constant_ ? 0 : 1;
    for (uint64_t i = 0; i < r.sequences(); ++i) {
      if (!r.valid(i)) continue;
      r.for_runs(i, [&](uint64_t begin, uint64_t end) {
        for (uint64_t t = begin; t < end; ++t) out.set_token(t, factor * ((out.at(t) - mean_) / deviation_));
      });
    }
  }

 private:
  double mean_, deviation_;
  bool is_constant_;
};

// advantage/mean, /std, /min and /max of Moments over the scored tokens of the valid sequences: before whitening, after which two of them are
// always 0 and 1.
inline void report_token_advantages(const Advantages& out, const Moments& m) {
  if (m.count == 0) return;
  out.metric("advantage/mean", m.mean);
  out.metric("advantage/std", std::sqrt(m.variance()));
  out.metric_min("advantage/min", m.least);
  out.metric_max("advantage/max", m.most);
}

}  // namespace tenon::algorithm_support
