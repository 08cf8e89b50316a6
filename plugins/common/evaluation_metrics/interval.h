// A mean over samples that come in groups, with its uncertainty.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::evaluation_metrics {

struct Interval {
  double mean, low, high;
};

// The mean of all numbers, with a 95 % interval. `problems`: per problem the numbers of its samples, of which those of one problem depend on each other
// (problems without any are left out). The standard error is that of a mean over clusters (E. Miller, "Adding error bars to evals", arXiv 2411.00640,
// eq. 4). If all numbers are in [0, 1] the interval is Wilson's score interval (1927) with p(1-p)/error² for the number of trials, at least the number of
// problems where all agree; else mean ± 1.96 errors. There must be at least one number.
Interval clustered_mean(const std::vector<std::vector<double>>& problems);

}  // namespace tenon::evaluation_metrics
