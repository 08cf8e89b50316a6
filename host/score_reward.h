// Which reward `tenon score` asks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host/commands_score.h"
#include "host/diagnostics.h"
#include "host/loader.h"
#include "host/plan.h"
#include "host/reward_rules.h"

namespace tenon::host {

struct ChosenReward {
  std::shared_ptr<const Spec> spec;  // nullptr: it has mistakes, which are in the diagnostics
  std::string name;                  // "math#2"
  RewardRules rules{};
  uint64_t seed = 0;
  std::string origin{};  // where in the configuration it stands, and what of it holds; empty: it is in none
};

// A plugin with the options of --set or, with --config, the entry of that name in a stage's list of rewards, else the component of that name. Throws UserError:
// there is none, or --explain is given and it cannot explain.
ChosenReward choose_reward(const ScoreArguments& arguments, Loader& loader, Diagnostics& diagnostics);

}  // namespace tenon::host
