// The mean of a group as its baseline.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "algorithm_support/rewards.h"

namespace tenon::algorithm_support {

// Rewards of a group less their mean; all exactly 0 where is_flat says that there is nothing to compare. The first one is taken off before the mean:
// what rewards have in common is then not rounded into what they differ by.
inline std::vector<double> less_mean(std::span<const double> rewards) {
  std::vector<double> out(rewards.size());
  if (is_flat(rewards)) return out;
  double sum = 0;
  for (size_t k = 0; k < out.size(); ++k) out[k] = rewards[k] - rewards[0], sum += out[k];
  for (double& x : out) x -= sum / static_cast<double>(out.size());
  return out;
}

}  // namespace tenon::algorithm_support
