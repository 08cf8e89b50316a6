// Per-reward normalisation within groups.
// SPDX-License-Identifier: Apache-2.0
#include "normalize.h"

#include <algorithm>
#include <cmath>

#include "algorithm_support/rewards.h"
#include "tenon/algorithm.hpp"

namespace tenon::rl {

namespace {

double counted(std::span<const std::vector<double>> given, const SumTerm& term, size_t k, uint64_t i) {
  return !term.only_if || given[*term.only_if][i] > term.only_above ? given[k][i] : 0;
}

}  // namespace

std::vector<SumTerm> sum_terms(const Host& host, std::span<const std::string> names) {
  std::vector<SumTerm> terms(names.size());
  for (size_t k = 0; k < names.size(); ++k) {
    const std::string path = "rewards." + std::to_string(k) + ".";
    terms[k].weight = host.f64_if((path + "weight").c_str()).value_or(1);
    terms[k].only_above = host.f64_if((path + "only_above").c_str()).value_or(0);
    const std::optional<std::string> gate = host.str_if((path + "only_if").c_str());
    // The first of its name, as the host has it.
    const auto at = gate ? std::find(names.begin(), names.end(), *gate) : names.end();
    if (at != names.end()) terms[k].only_if = static_cast<size_t>(at - names.begin());
  }
  return terms;
}

void normalize_rewards(Rollout& r, std::span<const std::vector<double>> given,
                       std::span<const SumTerm> terms) {
  constexpr double kEpsilon = 1e-4;
  std::vector<double> total(r.size(), 0), size(r.size(), 0);  // size: Σ_k |weight_k · normalised reward k|
  const tenon_rollout raw = r.raw();
  for (const auto& group : RolloutView(&raw).groups()) {
    for (size_t k = 0; k < terms.size(); ++k) {
      std::vector<uint64_t> judged;
      for (uint64_t i : group)
        if (!std::isnan(given[k][i])) judged.push_back(i);
      std::vector<double> earned;
      for (uint64_t i : judged) earned.push_back(counted(given, terms[k], k, i));
      if (algorithm_support::is_flat(earned)) continue;
      // Less the first, which changes no deviation: rewards that are near each other lose nothing to the rounding of their mean.
      const double n = static_cast<double>(judged.size()), first = earned[0];
      double mean = 0, squares = 0;
      for (double& x : earned) x -= first, mean += x / n;
      for (double x : earned) squares += (x - mean) * (x - mean);
      const double deviation = std::sqrt(squares / (n - 1)) + kEpsilon;
      for (size_t j = 0; j < judged.size(); ++j) {
        const double part = terms[k].weight * (earned[j] - mean) / deviation;
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
