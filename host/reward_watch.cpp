// Which samples a reward is at.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_watch.h"

#include <algorithm>
#include <chrono>

#include "host/monotonic.h"
#include "host/option_values.h"
#include "host/watchdog.h"

namespace tenon::host {

void Begun::mark(uint64_t i, bool begins) {
  std::lock_guard lock(mutex_);
  if (begins)
    since_[i] = monotonic_ns();
  else
    since_.erase(i);
}

std::string Begun::oldest(const std::function<std::string(uint64_t i)>& name) const {
  std::lock_guard lock(mutex_);
  const auto first = std::min_element(since_.begin(), since_.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  if (first == since_.end()) return "";
  return " " + name(first->first) + ": " +
         duration_text(std::chrono::nanoseconds(monotonic_ns() - first->second));
}

std::string hang_advice(const Spec& reward) {
  const auto is_of_a_stage = [](const Slot& slot) { return !slot.stage.empty(); };
  const bool keeps_state = TENON_FN(reward.component->life, tenon_life, save),
             has_limit = find_option(reward.component->options, "timeout") != nullptr,
             has_stages = std::any_of(reward.slots.begin(), reward.slots.end(), is_of_a_stage);
  if (reward.isolated || keeps_state || has_limit || has_stages) return "";
  return "With `isolation: process` it would have a process of its own, which could be ended.";
}

}  // namespace tenon::host
