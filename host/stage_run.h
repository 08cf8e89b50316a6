// One stage, from its components to its final checkpoint.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/components.h"
#include "host/last_words.h"
#include "host/run_folder.h"
#include "host/scoring.h"
#include "host/sinks.h"
#include "host/step_values.h"
#include "host/watchdog.h"

namespace tenon::host {

// What a stage is run with; everything outlives the run.
struct StageContext {
  HostServices& services;
  const StagePlan& plan;
  const std::string& hash;
  const RunFolder& run;
  const StageFolder& folder;
  Sinks& sinks;
  StageInputs inputs;
  double max_reward_failures;
  double reward_timeout;           // seconds; 0: none
  uint64_t first_sample_id;        // of the stage
  double checkpoint_interval = 0;  // seconds of work between checkpoints; 0: none by time
};

// Brings the folder of an unfinished stage to where it can go on: cuts its files to the lengths that its last checkpoint knows and returns that checkpoint,
// or empties the folder and returns nothing. Throws RunError if the checkpoint is damaged.
std::optional<Checkpoint> prepare_stage_folder(const StageFolder& folder);

class StageRun final : public StageServices {
 public:
  explicit StageRun(StageContext context);

  // Runs the stage from `resume`, or from its beginning, to its end: done.json is there when it returns. Throws UserError from creating components,
  // RunError from anything that fails later, RunStopped after the checkpoint that a signal asked for, RunWaits
  // where the stage waits.
  void run(const std::optional<Checkpoint>& resume);

  uint64_t steps() const { return steps_done_; }

  void metric(const char* name, double value) override { values_.metric(name, value); }
  void timing(const char* name, double value) override;
  void progress(double done, double total, const char* text) override;
  bool cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }
  void score(const std::string& slot, const tenon_call*, const tenon_reward_in&, tenon_scored&) override;
  void row_out(const std::string& name, const tenon_row&) override;
  void sample_out(std::string_view object) override;
  void artifact(const std::string& name, std::string_view bytes) override;
  uint64_t sample_ids(uint64_t n) override { return next_sample_id_.fetch_add(n); }

 private:
  void open_files();
  void restore(const Checkpoint& checkpoint);
  void call_stage();
  [[noreturn]] void wait_for(const std::string& what);  // throws RunWaits
  void check_work_done();
  std::string what_is_kept() const;
  void begin(uint64_t total_steps);
  void end_step(uint64_t step);
  bool is_checkpoint_due() const;
  void stop_if_rewards_fail();        // throws RunError
  void check_rewards_of_all() const;  // throws RunError
  void flush_rewards(uint64_t step);
  // Writes what was recorded since the last step as step `step`.
  void write_records(uint64_t step, bool to_sinks);
  void write_checkpoint(bool is_final);
  // Whether the stage made its model (key "model") itself, rather than got it from an earlier stage.
  bool made_model() const;
  boost::json::object offsets();
  void finish();
  tenon_stage_io make_io();
  double seconds_since_begin() const;

  StageContext c_;
  Watchdog dog_;
  StepValues values_;
  std::map<std::string, Scoring> scorings_;       // by slot
  std::map<std::string, FailureWindow> windows_;  // of slots that have not scored yet in this process
  boost::json::object results_;                   // model → benchmark → metric
  boost::json::array made_with_;                  // see made_with()
  uint64_t first_step_ = 0, total_steps_ = 0;
  std::atomic<uint64_t> steps_done_{0};
  bool begun_ = false;
  std::atomic<uint64_t> next_sample_id_{0};
  std::atomic<bool> cancelled_{false};
  std::string output_;          // tenon_stage_io.folder
  std::exception_ptr failure_;  // thrown inside a callback of the stage

  std::array<OutputFile, kRecordFiles.size()> files_;   // of the stage
  std::array<OutputFile, kRecordFiles.size()> copies_;  // of the run
  std::map<std::string, OutputFile> row_files_;
  std::mutex pending_mutex_;
  std::vector<std::string> pending_samples_;  // JSON objects less their opening brace
  std::map<uint64_t, SampleRecord>
      scored_samples_;                   // of this step, not written yet: what Scoring tells of them
  std::set<uint64_t> recorded_samples_;  // of this step, by their field `sample`
  std::map<std::string, std::string> pending_rows_;  // lines, by row set
  std::chrono::steady_clock::time_point begin_time_, step_time_, checkpoint_time_;
  Doing* doing_ = nullptr;  // while run() runs
  std::optional<Components>
      components_;  // last: destroyed first, while all that it may still call or read is there
};

}  // namespace tenon::host
