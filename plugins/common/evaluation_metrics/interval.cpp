// Clustered standard errors and Wilson's interval.
// SPDX-License-Identifier: Apache-2.0
#include "evaluation_metrics/interval.h"

#include <algorithm>
#include <cmath>

namespace tenon::evaluation_metrics {

namespace {
constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution

Interval wilson(double p, double trials) {
  double z2 = kZ * kZ / trials;
  double centre = (p + z2 / 2) / (1 + z2);
  double half = kZ / (1 + z2) * std::sqrt(p * (1 - p) / trials + z2 / (4 * trials));
  // At the ends the bound is exact, which the sum is but for rounding.
  return {p, p == 0 ? 0 : centre - half, p == 1 ? 1 : centre + half};
}
}  // namespace

Interval clustered_mean(const std::vector<std::vector<double>>& problems) {
  double n = 0, clusters = 0, sum = 0;
  bool fractions = true;
  for (const auto& problem : problems) {
    clusters += problem.empty() ? 0 : 1;
    for (double v : problem) {
      sum += v;
      ++n;
      fractions = fractions && v >= 0 && v <= 1;
    }
  }
  double mean = sum / n, square = 0;
  for (const auto& problem : problems) {
    double deviation = 0;
    for (double v : problem) deviation += v - mean;
    square += deviation * deviation;
  }
  double variance = square / (n * n);
  if (!fractions) return {mean, mean - kZ * std::sqrt(variance), mean + kZ * std::sqrt(variance)};
  // Without any spread between the problems the error says nothing: then a problem is a trial; and samples are never more trials than there are of them.
  double spread = mean * (1 - mean);
  double trials = variance > 0 && spread > 0 ? std::min(spread / variance, n) : clusters;
  return wilson(mean, trials);
}

}  // namespace tenon::evaluation_metrics
