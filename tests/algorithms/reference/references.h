// One maker for each family of algorithms.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reference/reference.h"

namespace tenon::test::reference {

std::unique_ptr<Reference> make_grpo(Given& given);
std::unique_ptr<Reference> make_rloo(Given& given);
std::unique_ptr<Reference> make_reinforce(Given& given);
std::unique_ptr<Reference> make_reinforce_plus_plus(Given& given);
std::unique_ptr<Reference> make_ppo(Given& given);
std::unique_ptr<Reference> make_dpo(Given& given);

}  // namespace tenon::test::reference
