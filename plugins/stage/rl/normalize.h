// Several rewards, each brought to the same scale before they are added up.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "tenon/rollout.hpp"

namespace tenon::rl {

// Replaces r.reward by Σ_k weight_k (x_k − mean(x_k)) / (std(x_k) + 1e-4), mean and sample deviation of reward k over the valid samples of the group
// for which it is OK (group reward-decoupled normalization, GDPO, arXiv 2601.05242, eq. 4 and 5): a reward of large scale does not drown the others.
// A reward that is the same in the whole group, or that only one sample has, adds nothing. terms: [reward][sequence], NaN: not OK. What GDPO then divides
// by, the deviation over the batch, is an option of the algorithm.
void normalize_rewards(Rollout& r, std::span<const std::vector<double>> terms,
                       std::span<const double> weights);

}  // namespace tenon::rl
