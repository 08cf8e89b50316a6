// What each token of a completion earns, for algorithms whose advantages differ from token to token.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "algorithm_support/algorithm_support.h"

namespace tenon::algorithm_support {

// Calls f(t, r_t) for the scored tokens t of sequence i, the last one first, with
//   r_t = token reward of t (if any) + 1[t is the last scored token] · reward of i − kl_weight · (lp_old − lp_ref)      (k1 of the divergence)
// Tokens that are not scored (those of a tool, say) are passed over: they neither earn nor interrupt anything. kl_weight other than 0 needs lp_old
// and lp_ref.
template <class F>
void for_token_rewards_backwards(const RolloutView& r, uint64_t i, double kl_weight, F&& f) {
  const bool has_token_rewards = r.raw().token_reward != nullptr;
  double outcome = r.reward(i);
  for (uint64_t t = r.end(i); t-- > r.begin(i);) {
    if (!r.scored(t)) continue;
    double reward = outcome;
    outcome = 0;
    if (has_token_rewards && r.has_token_reward(t)) reward += r.token_reward(t);
    if (kl_weight != 0) reward -= kl_weight * (r.lp_old(t) - r.lp_ref(t));
    f(t, reward);
  }
}

}  // namespace tenon::algorithm_support
