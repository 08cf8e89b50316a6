// Several rewards, each brought to the same scale before they are added up.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tenon/host.hpp"
#include "tenon/rollout.hpp"

namespace tenon::rl {

// A reward of the list as the sum has it.
struct SumTerm {
  double weight = 1;
  // Place of an earlier one: this one counts 0 where that one gave no more than only_above.
  std::optional<size_t> only_if{};
  double only_above = 0;
};

// As the options `rewards` say. names: of the rewards.
std::vector<SumTerm> sum_terms(const Host& host, std::span<const std::string> names);

// Replaces r.reward by Σ_k weight_k (x_k − mean(x_k)) / (std(x_k) + 1e-4), mean and sample deviation of reward k over the valid samples of the group
// for which it is OK (group reward-decoupled normalization, GDPO, arXiv 2601.05242, eq. 4 and 5): a reward of large scale does not drown the others.
// A reward that is the same in the whole group, or that only one sample has, adds nothing. x_k is what counts: 0 where its `only_if` leaves it nothing.
// given: [reward][sequence], what each gave; NaN: not OK. What GDPO then divides
// by, the deviation over the batch, is an option of the algorithm.
void normalize_rewards(Rollout& r, std::span<const std::vector<double>> given,
                       std::span<const SumTerm> terms);

}  // namespace tenon::rl
