// Which samples a reward is at, for whoever watches its call.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "host/plan.h"

namespace tenon::host {

// The samples of a call that a reward has begun to judge, as it says so itself. [any thread]
class Begun {
 public:
  void mark(uint64_t i, bool begins);
  // " sample 4711: 31s" of the one that began first, `name` naming it by its place in the call ("sample 4711"), or nothing.
  std::string oldest(const std::function<std::string(uint64_t i)>& name) const;

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, int64_t> since_;
};

// A sentence that helps where this reward hangs; empty: none does, as with one that has a limit of its own, as those have that do their work in other processes.
std::string hang_advice(const Spec& reward);

}  // namespace tenon::host
