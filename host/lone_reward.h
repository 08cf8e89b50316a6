// A reward that is asked outside of a run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/instance.h"
#include "host/reward_rules.h"
#include "host/watchdog.h"

namespace tenon::host {

struct RewardRow {
  uint64_t id = 0;
  std::string prompt, completion;
  std::string meta;  // one JSON object
  std::optional<std::vector<int32_t>> tokens;
};

struct RewardAnswer {
  double reward = 0;
  int32_t status = TENON_R_UNSET;  // never UNSET in an answer
  std::string reason;
  std::map<std::string, double> notes;
  std::string note_fault;  // why a note of it is not there; empty: all are
};

class LoneReward {
 public:
  // timeout: of one call; 0: none. `reward` outlives this. rules: `sources` and `scope` of them hold; it does not apply to rows that they leave out.
  LoneReward(const Instance& reward, std::chrono::nanoseconds timeout, RewardRules rules = {});

  // Has `dog`, which outlives this, warn of a call that runs past the timeout, whose name is `option`. name: of a row, by its id.
  void set_watchdog(Watchdog& dog, std::string option, std::function<std::string(uint64_t id)> name);

  // One answer a row. Tokens are shown if every row has them. Throws tenon::Error, the reward's own, but for those that concern its samples alone (is_error_of_samples).
  std::vector<RewardAnswer> score(std::span<const RewardRow> rows) const;

 private:
  // Of rows that no rule leaves out.
  void ask(const tenon_reward_in& in, std::vector<RewardAnswer>& out) const;

  const Instance& reward_;
  std::chrono::nanoseconds timeout_;
  RewardRules rules_;
  Watchdog* dog_ = nullptr;
  std::string option_;
  std::function<std::string(uint64_t)> name_;
};

}  // namespace tenon::host
