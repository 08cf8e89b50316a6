// Per-reward normalisation within groups.
// SPDX-License-Identifier: Apache-2.0
#include "normalize.h"

#include <algorithm>
#include <cmath>

#include "algorithm_support/rewards.h"
#include "tenon/algorithm.hpp"

namespace tenon::rl {

void normalize_rewards(Rollout& r, std::span<const std::vector<double>> terms,
                       std::span<const double> weights) {
  constexpr double kEpsilon = 1e-4;
  std::vector<double> total(r.size(), 0), size(r.size(), 0);  // size: Σ_k |weight_k · normalised reward k|
  const tenon_rollout raw = r.raw();
  for (const auto& group : RolloutView(&raw).groups()) {
    for (size_t k = 0; k < terms.size(); ++k) {
      std::vector<uint64_t> judged;
      for (uint64_t i : group)
        if (!std::isnan(terms[k][i])) judged.push_back(i);
      std::vector<double> earned;
      for (uint64_t i : judged) earned.push_back(terms[k][i]);
      if (algorithm_support::is_flat(earned)) continue;
      // Less the first, which changes no deviation: rewards that are near each other lose nothing to the rounding of their mean.
      const double n = static_cast<double>(judged.size()), first = earned[0];
      double mean = 0, squares = 0;
      for (double& x : earned) x -= first, mean += x / n;
      for (double x : earned) squares += (x - mean) * (x - mean);
      const double deviation = std::sqrt(squares / (n - 1)) + kEpsilon;
      for (size_t j = 0; j < judged.size(); ++j) {
        const double part = weights[k] * (earned[j] - mean) / deviation;
        total[judged[j]] += part, size[judged[j]] += std::abs(part);
      }
    }
    // Rewards that cancel leave their rounding, which an algorithm would take for a difference.
    for (uint64_t i : group)
      if (std::abs(total[i]) <= 0x1p-40 * size[i]) total[i] = 0;
  }
  r.reward = std::move(total);
}

}  // namespace tenon::rl
