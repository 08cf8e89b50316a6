// A host for tests of plugins: options from JSON, slots filled by the test, real Philox, and everything that is recorded kept in memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tenon/sdk.hpp"

namespace tenon::test {

// Block (hi, lo) of Philox4x32-10 under `key`: out[0..1]. J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), §4.3.
void philox(uint64_t key, uint64_t hi, uint64_t lo, uint64_t out[2]);

// What a call on the CPU without a deadline is given.
tenon_call cpu_call(uint64_t step = 0);

// The one component of the plugin whose objects are linked into the test; throws if the plugin has another number of them.
const tenon_component& plugin_component();

// Serves a tenon_host table. Outlives the instances created from it; not movable. Not for use from several threads, but for `log` and `cancelled`.
class FakeHost {
 public:
  // Options by name, as a JSON object. Without a component they are taken as they are.
  explicit FakeHost(std::string_view options = "{}");
  // With one, options that are absent get the defaults of its table, and an option that the table does not have throws. Ranges are not checked.
  explicit FakeHost(const tenon_component& component, std::string_view options = "{}");
  FakeHost(const FakeHost&) = delete;

  const tenon_host* raw() const { return &host_; }
  Host host() const { return Host(&host_); }
  void set_seed(uint64_t seed) { host_.seed = seed; }

  // Fills slot `name` ("model", "rewards/0", "model.tokenizer"); the caller keeps the component alive.
  void slot(const std::string& name, const tenon_ref& ref) { slots_[name] = ref; }
  // As `lookup`; throws if the slot is empty.
  tenon_ref at(const std::string& name) const;

  // The options' paths that were read, to find ones that a plugin ignores.
  const std::map<std::string, int>& read() const { return read_; }

  std::map<std::string, double> metrics, timings;  // of the current step
  std::vector<std::string> logs;                   // "warn: text"
  std::vector<std::string> samples;                // of the current step, JSON
  std::map<std::string, std::vector<Row>> rows;    // by row set
  std::map<std::string, std::string> artifacts;    // by file name
  uint64_t next_sample_id = 0;
  std::function<bool()> cancelled = [] { return false; };

 private:
  friend struct Table;
  const boost::json::value* find(std::string_view path) const;

  tenon_host host_{};
  boost::json::object options_;
  std::map<std::string, tenon_ref> slots_;
  mutable std::map<std::string, int> read_;
  mutable std::deque<std::string> texts_;  // what get_json gave out
};

// An instance of a component, made and ended through its life.
class Instance {
 public:
  Instance(const tenon_component& component, const FakeHost& host);
  ~Instance();
  Instance(const Instance&) = delete;
  void* self() const { return self_; }
  tenon_ref ref(const char* name = "instance") const;
  std::string save() const;
  void load(const std::string& state) const;

 private:
  const tenon_component& component_;
  void* self_ = nullptr;
};

// Findings of the component's `check` with the host's options, as "path: text".
std::vector<std::string> check_findings(const tenon_component& component, const FakeHost& host);

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
  std::map<std::string, double> results;       // by "model/benchmark/metric"
  std::function<void(uint64_t step)> on_step;  // before step_end returns
  std::optional<uint64_t> stop_after;          // step_end of this step answers TENON_E_CANCELLED

 private:
  FakeHost& host_;
  tenon_stage_io io_{};
};

// Creates the stage of `component`, runs it once and ends it; throws what it reports.
void run_stage(const tenon_component& component, FakeHost& host, FakeIo& io);

}  // namespace tenon::test
