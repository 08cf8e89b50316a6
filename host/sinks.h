// The sinks of a run: they receive copies of what it records.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/instance.h"
#include "host/step_values.h"

namespace tenon::host {

class Sinks {
 public:
  // Creates them. Throws UserError. `specs` outlives this object.
  Sinks(HostServices& services, const std::vector<Spec>& specs, std::string run);

  // A sink that fails throws RunError.
  void record(const std::string& stage, uint64_t step, uint64_t total, double seconds, const Values& metrics,
              const Values& timings);
  void event(int32_t event, const std::string& stage, const std::string& text);
  // [any thread]
  void progress(const std::string& stage, double done, double total, const std::string& text);

 private:
  std::string run_;
  std::vector<std::unique_ptr<Instance>> sinks_;
};

}  // namespace tenon::host
