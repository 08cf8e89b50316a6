// What every algorithm asks of rewards before it compares them: that they are numbers, and that they differ by more than rounding.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "algorithm_support/text.h"
#include "tenon/algorithm.hpp"

namespace tenon::algorithm_support {

// Whether the rewards of a group teach nothing: fewer than two, or all equal but for rounding. Rounding is what is at most 2^-40 (1e-12) of the
// largest |reward|: the same parts added up in another order (1.1 + 2.2 and 3.3) differ by some 2^-52 of it, and divided by their own deviation such
// differences would look like any other. Rewards that cancel to nearly nothing (0.1 + 0.2 - 0.3 and 0) are not recognised: what they were made of
// is not known here. One that is not finite makes no group flat: what is computed from it shall be an error.
inline bool is_flat(std::span<const double> rewards) {
  if (rewards.size() < 2) return true;
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  const double range = *high - *low;
  return std::isfinite(range) && range <= 0x1p-40 * std::max(std::abs(*low), std::abs(*high));
}

// Throws for a reward of a valid sequence, or of one of its scored tokens, that is not a finite number, and for a sum of them that is not: naming the
// sample, the column and the value. (A token_reward of NaN means that the token has none.)
inline void check_rewards(const RolloutView& r) {
  if (r.raw().reward == nullptr) throw Error(TENON_E_STATE, "the stage gave no column reward");
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    const auto fail = [&](const char* column, const std::string& where, double value) {
      throw Error("column " + std::string(column) + where + " of sample " + std::to_string(r.sample_id(i)) +
                  " is " + number_text(value) +
                  ", but a reward must be a finite number: a sample that cannot be judged is to be marked as "
                  "not valid");
    };
    if (!std::isfinite(r.reward(i))) fail("reward", "", r.reward(i));
    if (r.raw().token_reward == nullptr) continue;
    for (uint64_t t = r.begin(i); t < r.end(i); ++t)
      if (r.scored(t) && std::isinf(r.token_reward(t)))
        fail("token_reward", " at token " + std::to_string(t - r.begin(i)), r.token_reward(t));
    if (!std::isfinite(r.total_reward(i))) fail("reward + token_reward", "", r.total_reward(i));
  }
}

}  // namespace tenon::algorithm_support
