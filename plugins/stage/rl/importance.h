// Importance weights: what makes up for a sampler that is not quite the policy that is trained.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tenon/rollout.hpp"

namespace tenon::rl {

// With w_t = π_old(x_t | x_<t) / π_sampler(x_t | x_<t) = exp(lp_old − lp_sample), both before the rollout's first update, over the scored tokens of a
// completion of length L; the weight of a token is
//   token       w_t
//   sequence    Π w_t, the same for all tokens
//   geometric   (Π w_t)^(1/L), the same for all tokens
// and what leaves [min, max] is cut to max (truncate: TIS, Yao et al. 2025; below max it stays what it is) or gets weight 0 (mask: MIS; IcePop where
// the level is token). Constants of the loss: no gradient flows through them.
enum class ImportanceLevel { kNone, kToken, kSequence, kGeometric };

struct Importance {
  ImportanceLevel level = ImportanceLevel::kNone;
  bool mask = false;  // else truncate
  double min = 0, max = 0;
};

// "none", "token-truncate", "geometric-mask"…
Importance read_importance(const std::string& name);

struct ImportanceWeights {
  std::vector<double> weight;  // [tokens]; 1 where nothing is scored, and for sequences that are not valid
  // Of w (at the level) before its bound, over the scored tokens of valid sequences; without any, least > most.
  double least = 1e300, most = 0, sum = 0, count = 0;
  double bounded = 0;  // how many of them were cut or masked
};

// Of r's columns lp_old and lp_sample. Throws Error naming sample and token where a weight is not finite.
ImportanceWeights importance_weights(const Rollout& r, const Importance& how);

}  // namespace tenon::rl
