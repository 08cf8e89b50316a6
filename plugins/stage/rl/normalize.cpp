// Per-reward normalisation within groups.
// SPDX-License-Identifier: Apache-2.0
#include "normalize.h"

#include <algorithm>
#include <cmath>

#include "tenon/algorithm.hpp"

namespace tenon::rl {

void normalize_rewards(Rollout& r, std::span<const std::vector<double>> terms,
                       std::span<const double> weights) {
  constexpr double kEpsilon = 1e-4;
  std::vector<double> total(r.size(), 0);
  const tenon_rollout raw = r.raw();
  for (const auto& group : RolloutView(&raw).groups())
    for (size_t k = 0; k < terms.size(); ++k) {
      std::vector<uint64_t> judged;
      for (uint64_t i : group)
        if (!std::isnan(terms[k][i])) judged.push_back(i);
      const double n = static_cast<double>(judged.size());
      double mean = 0, squares = 0;
      for (uint64_t i : judged) mean += terms[k][i] / n;
      for (uint64_t i : judged) squares += (terms[k][i] - mean) * (terms[k][i] - mean);
      const bool is_flat = std::all_of(judged.begin(), judged.end(),
                                       [&](uint64_t i) { return terms[k][i] == terms[k][judged[0]]; });
      if (is_flat) continue;
      const double deviation = std::sqrt(squares / (n - 1)) + kEpsilon;
      for (uint64_t i : judged) total[i] += weights[k] * (terms[k][i] - mean) / deviation;
    }
  r.reward = std::move(total);
}

}  // namespace tenon::rl
