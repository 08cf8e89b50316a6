// Mean and variance over all tokens of a rollout, and advantages with mean 0 and variance 1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <vector>

#include "algorithm_support/algorithm_support.h"

namespace tenon::algorithm_support {

// Count, mean, sum of squared deviations from it, least and largest of some numbers. Centred, so that a small variance of large numbers keeps its
// digits. Those of parts can be put together (Chan, Golub and LeVeque, 1979).
struct Moments {
  double count = 0, mean = 0, squares = 0;
  double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();

  // Of x[n]. The bits depend on the numbers alone, not on the processor.
  static Moments of(const double* x, uint64_t n);
  void add(const Moments& o);

  // With Bessel's correction; 0 of fewer than two numbers.
  double sample_variance() const { return count < 2 ? 0 : squares / (count - 1); }
  double variance() const { return count == 0 ? 0 : squares / count; }
  bool is_finite() const { return std::isfinite(mean) && std::isfinite(squares); }
};

// The moments of a whole rollout from those of its sequences ([n_seq]; only the valid ones count), put together by sample id: the bits do not
// depend on where the sequences stand.
Moments moments_by_sample(const RolloutView& r, const std::vector<Moments>& of_sequence);

// The same, of advantages. Throws if they are not finite, naming the sample.
Moments advantage_moments(const RolloutView& r, const std::vector<Moments>& of_sequence);

// A ↦ (A − mean) / sqrt(variance + 1e-8) with Bessel's variance, as `masked_whiten` of TRL and verl. Everything becomes 0, exactly, where all
// numbers are equal but for rounding (is_flat).
class Whitening {
 public:
  explicit Whitening(const Moments& m);
  double mean() const { return mean_; }
  double deviation() const { return deviation_; }
  double operator()(double a) const { return (a - mean_) * factor_; }
  // Whitens what is in `out`, at the scored tokens of the valid sequences.
  void apply(const RolloutView& r, Advantages& out) const;

 private:
  double mean_, deviation_, factor_;
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
