// Which reference is for which algorithm.
// SPDX-License-Identifier: Apache-2.0
#include "reference/references.h"

namespace tenon::test::reference {

std::unique_ptr<Reference> make_reference(const std::string& id, Given& given) {
  given.not_mine({"aggregation", "length"});
  if (id == "grpo") return make_grpo(given);
  if (id == "rloo") return make_rloo(given);
  if (id == "reinforce") return make_reinforce(given);
  if (id == "reinforce++") return make_reinforce_plus_plus(given);
  if (id == "ppo") return make_ppo(given);
  if (id == "dpo") return make_dpo(given);
  return nullptr;
}

}  // namespace tenon::test::reference
