// A host for tests of stages, models and samplers: testing::TestHost with what stages ask for besides, kept in memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tenon/sdk.hpp"
#include "tenon/testing.hpp"

namespace tenon::test {

// What a call on the CPU without a deadline is given.
tenon_call cpu_call(uint64_t step = 0);

// The one component of the plugin whose objects are linked into the test; throws if the plugin has another number of them.
const tenon_component& plugin_component();

// Not for use from several threads, but for `log`, `metric`, `timing` and `cancelled`.
class FakeHost : public testing::TestHost {
 public:
  // Options by name, as a JSON object. Without a component they are taken as they are.
  explicit FakeHost(std::string_view options = "{}");
  explicit FakeHost(const tenon_component& component, std::string_view options = "{}");

  void set_seed(uint64_t seed) { table_.seed = seed; }

  std::vector<std::string> samples;              // of the current step, JSON
  std::map<std::string, std::vector<Row>> rows;  // by row set
  std::map<std::string, std::string> artifacts;  // by file name
  uint64_t next_sample_id = 0;
  std::string output_folder;  // what TENON_EXT_OUTPUT_FOLDER tells; "": the host has no such extension

 private:
  friend struct Services;
  FakeHost(const tenon_component* component, std::string_view options);
};

// An instance of a component, made and ended through its life.
class Instance : public testing::Created {
 public:
  Instance(const tenon_component& component, const FakeHost& host) : Created(&component, host.raw()) {}
  void* self() const { return Created::self; }
};

// Findings of the component's `check` with the host's options, as "path: text".
inline std::vector<std::string> check_findings(const tenon_component& component, const FakeHost& host) {
  return testing::findings_of(&component, host);
}

// What a running stage is given. Each step_end moves the host's metrics, timings and samples into `steps`.
class FakeIo {
 public:
  // output: what the stage is told to be its output folder; the caller makes it if the stage writes there.
  explicit FakeIo(FakeHost& host, std::string output = "");
  FakeIo(const FakeIo&) = delete;
  const tenon_stage_io* raw() const { return &io_; }
  StageIo io() const { return StageIo(&io_); }
  void set_first_step(uint64_t step) { io_.first_step = step; }

  struct Step {
    uint64_t step;
    std::map<std::string, double> metrics, timings;
    std::vector<std::string> samples;
    double metric(const std::string& name) const;  // throws if it was not recorded
  };
  std::vector<Step> steps;
  uint64_t total_steps = 0;
  const std::string folder;
  std::map<std::string, double>
      results;  // by "model/benchmark/metric"; one that is there already is an error
  std::function<void(uint64_t step)> on_step;  // before step_end returns
  std::optional<uint64_t> stop_after;          // step_end of this step answers TENON_E_CANCELLED

 private:
  FakeHost& host_;
  tenon_stage_io io_{};
};

// Creates the stage of `component`, runs it once and ends it; throws what it reports.
void run_stage(const tenon_component& component, FakeHost& host, FakeIo& io);

}  // namespace tenon::test
