// What a run would do with each stage of a plan, and why: keep it, go on with it, or run it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "host/content_hash.h"
#include "host/plan.h"
#include "host/run_folder.h"
#include "host/stage_changes.h"

namespace tenon::host {

// Which stages to run, beside those that have to (tenon run --from, --only, --force).
// A stage of a loop goes by its whole name ("loop.1.rl") or, that of the last round, by "loop.rl".
struct StageChoice {
  // This stage, or all of a loop ("loop") or of one of its rounds ("loop.2"), and what reads them, directly or through others, run again from their beginning.
  std::string from;
  std::string only;    // this stage alone
  bool force = false;  // finished stages run again: with `only` that one, else all
};

struct StageOutlook {
  StageOutlook(StageContent c, StageFolder f) : content(std::move(c)), folder(std::move(f)) {}

  enum class Status {
    kKept,    // finished, and nothing it depends on has changed
    kGoesOn,  // from a checkpoint
    kRuns,    // from its beginning
    kLeft     // not asked for, and not finished
  } status = Status::kRuns;
  StageContent content;
  StageFolder folder;
  uint64_t steps = 0;                // kKept: all that it made; kGoesOn: those that the checkpoint has
  bool set_aside = false;            // kRuns: its folder holds something, which is renamed first
  bool changed_since_begun = false;  // kRuns: the run's last command began or finished it with something else
  std::vector<Reason> why;           // kRuns, kGoesOn: why it is not finished
  std::vector<std::string> made_otherwise;  // kKept, kGoesOn: as run_folder.h's
};

// One for each stage, in the order of the plan. Reads `run`, the run's folder, which need not exist. Throws UserError for a choice that cannot be (an unknown stage;
// with `only`, one whose inputs are not finished), RunError for a record that cannot be read.
std::vector<StageOutlook> outlook(const Plan& plan, const std::filesystem::path& run,
                                  const StageChoice& choice);

// The whole name of the stage that `only` means; empty if it is. Throws UserError as outlook().
std::string only_stage_name(const Plan& plan, const StageChoice& choice);

// "finished", "goes on", "runs", "left out"
const char* status_name(StageOutlook::Status status);

// Writes down what the stage in this folder depends on (depends_on.json), unless it is written there.
void record_content(const StageFolder& folder, const StageContent& content);

// The other folders of a stage in the run's folder: those of other configurations.
std::vector<std::filesystem::path> other_folders(const std::filesystem::path& run, const std::string& stage,
                                                 const StageFolder& now);

}  // namespace tenon::host
