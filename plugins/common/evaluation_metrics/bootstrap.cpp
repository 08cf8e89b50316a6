// The bootstrap: resampling by Philox, BCa ends.
// SPDX-License-Identifier: Apache-2.0
#include "evaluation_metrics/bootstrap.h"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <limits>

#include "tenon/philox.h"

namespace tenon::evaluation_metrics {
namespace {

// Of the normal distribution.
double quantile(double p) {
  return -std::sqrt(2.0) * boost::math::erfc_inv(2 * p);
}
double share_below(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

// Statistics of the resamples, in ascending order.
std::vector<double> resampled(uint32_t n, const Statistic& statistic, const BootstrapSettings& settings) {
  std::vector<double> out(settings.resamples);
  std::vector<uint64_t> numbers((n + 1) / 2);
  std::vector<uint32_t> drawn(n);
  for (uint64_t b = 0; b < settings.resamples; ++b) {
    tenon_philox(settings.seed, b, 0, numbers.data(), numbers.size());
    for (uint32_t i = 0; i < n; ++i) {
      const uint64_t word = numbers[i / 2] >> (i % 2 * 32) & 0xffffffff;
      drawn[i] = static_cast<uint32_t>(word * n >> 32);
    }
    out[b] = statistic(drawn);
  }
  std::sort(out.begin(), out.end());
  return out;
}

double acceleration(uint32_t n, const Statistic& statistic) {
  std::vector<uint32_t> all_but_one(n - 1);
  std::vector<double> left_out(n);
  double mean = 0;
  for (uint32_t i = 0; i < n; ++i) {
    for (uint32_t k = 0; k + 1 < n; ++k) all_but_one[k] = k < i ? k : k + 1;
    left_out[i] = statistic(all_but_one);
    mean += left_out[i] / n;
  }
  double square = 0, cube = 0;
  for (double v : left_out) square += (mean - v) * (mean - v), cube += std::pow(mean - v, 3);
  return square > 0 ? cube / (6 * std::pow(square, 1.5)) : 0;
}

double order_statistic(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size());
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(std::max(0.0, at)))];
}

}  // namespace

Interval bootstrap_bca(uint32_t n, const Statistic& statistic, const BootstrapSettings& settings) {
  std::vector<uint32_t> all(n);
  for (uint32_t i = 0; i < n; ++i) all[i] = i;
  const double estimate = statistic(all), none = std::numeric_limits<double>::quiet_NaN();
  if (n < 2 || settings.resamples < 1) return {estimate, none, none};
  const std::vector<double> sorted = resampled(n, statistic, settings);
  if (sorted.front() == sorted.back()) return {estimate, none, none};
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), estimate);
  const double below = static_cast<double>(first - sorted.begin()) + 0.5 * static_cast<double>(last - first);
  const double share = below / static_cast<double>(sorted.size());
  if (share <= 0 || share >= 1) return {estimate, none, none};
  const double z0 = quantile(share), a = acceleration(n, statistic);
  const auto end = [&](double p) {
    const double z = z0 + quantile(p);
    return order_statistic(sorted, share_below(z0 + z / (1 - a * z)));
  };
  return {estimate, end((1 - settings.level) / 2), end((1 + settings.level) / 2)};
}

Interval bootstrap_mean(const std::vector<std::vector<double>>& problems, const BootstrapSettings& settings) {
  std::vector<double> sum, count;
  for (const std::vector<double>& problem : problems) {
    if (problem.empty()) continue;
    sum.push_back(0), count.push_back(static_cast<double>(problem.size()));
    for (double v : problem) sum.back() += v;
  }
  const Statistic mean = [&](std::span<const uint32_t> drawn) {
    double s = 0, n = 0;
    for (uint32_t i : drawn) s += sum[i], n += count[i];
    return s / n;
  };
  const Interval fallback = clustered_mean(problems);
  if (sum.size() < 2) return fallback;
  const Interval out = bootstrap_bca(static_cast<uint32_t>(sum.size()), mean, settings);
  return std::isnan(out.low) ? fallback : Interval{fallback.mean, out.low, out.high};
}

}  // namespace tenon::evaluation_metrics
