// Bootstrap confidence intervals.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "evaluation_metrics/interval.h"

namespace tenon::evaluation_metrics {

struct BootstrapSettings {
  uint64_t resamples = 10000;
  uint64_t seed = 0;
  double level = 0.95;
};

// A statistic of the units that are listed by index, each as often as it is there.
using Statistic = std::function<double(std::span<const uint32_t>)>;

// The bias-corrected and accelerated interval (B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987; Efron and Tibshirani, "An introduction to the bootstrap", 1993, eq. 14.9
// to 14.15) of a statistic of n independent units: units are drawn with replacement, the acceleration is the jackknife's, and of the bias half of the
// resamples that equal the estimate count. The same seed gives the same interval, on every machine. `mean` is the estimate. Where all resamples are equal,
// or the bias has no end, low = high = NaN: the bootstrap says nothing. n ≥ 2, else so too. Costs (resamples + n) · n.
Interval bootstrap_bca(uint32_t n, const Statistic& statistic, const BootstrapSettings& settings);

// The mean over all values of all problems, and its interval: whole problems are drawn, for the values of one depend on each other. Problems without values take no
// part. Where the bootstrap says nothing, such as of values that are all equal: clustered_mean.
Interval bootstrap_mean(const std::vector<std::vector<double>>& problems, const BootstrapSettings& settings);

}  // namespace tenon::evaluation_metrics
