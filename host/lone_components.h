// Components of a plan that are made outside of a run, for commands that look into one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/instance.h"
#include "host/plan.h"

namespace tenon::host {

// With their slots and options, but without weights, saved state and what only a running stage has. Destroyed in the reverse order.
class LoneComponents {
 public:
  // seed: of the run; stage: the plan's, which names places and seeds as the run does; threads: of tenon_host.parallel_for.
  // log: nullptr: to nowhere. running: the stage that they are in; outlives this; nullptr: none runs.
  LoneComponents(uint64_t seed, std::string stage, uint32_t threads = 1,
                 std::shared_ptr<spdlog::logger> log = nullptr, StageServices* running = nullptr);
  ~LoneComponents();
  LoneComponents(const LoneComponents&) = delete;
  LoneComponents& operator=(const LoneComponents&) = delete;

  // The component of a slot of the stage, `path` its name in the stage. Throws UserError: it cannot be created, or a slot below it is not
  // a component but what a stage made.
  Instance& create(const Spec& spec, const std::string& path);

 private:
  std::string stage_;
  ThreadPool pool_;
  HostServices services_;
  std::vector<std::unique_ptr<Instance>> instances_;
};

}  // namespace tenon::host
