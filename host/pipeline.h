// A checked plan, carried out: stage after stage, finished ones kept.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host/diagnostics.h"
#include "host/outlook.h"
#include "host/plan.h"
#include "host/results_table.h"
#include "host/run_folder.h"

namespace tenon::host {

struct StageReport {
  std::string name, hash;
  enum class Status { kCached, kRan, kResumed, kLeft } status = Status::kCached;
  uint64_t steps = 0;
};

struct RunReport {
  std::vector<StageReport> stages;
  bool nothing_to_do = false;  // all stages that were asked for were finished already
  // Folders in <run>/stages/ that belong to no stage of this plan: of earlier configurations. They are kept, for whoever goes back to one.
  std::vector<std::filesystem::path> unused;
  uint64_t unused_bytes = 0;  // in their files
  // Of each finished stage that other plugins or another version of the program made: a sentence that says so, and how to run it again.
  std::vector<std::string> made_otherwise;
  std::vector<StageResults> results;  // of the stages that gave numbers, in the order of the pipeline
  // Where the folders of stages are now that were told to run again (StageChoice): renamed, and nobody deletes them.
  std::vector<std::filesystem::path> set_aside;
  uint64_t set_aside_bytes = 0;
  // Finished stages that read one which --only ran again, and were kept.
  std::vector<std::string> outdated;
};

struct RunOptions {
  StageChoice choice;
  // Refuse to run a stage from its beginning that was finished or begun, because a file or a plugin has changed since (tenon resume).
  bool only_go_on = false;
};

// Runs the stages of `plan` in `folder`, as outlook() says of them: one whose content hash has a finished folder is kept; one that was interrupted goes on from
// its last checkpoint; all others run from their beginning. Before anything is written, the components of all stages that will run are created once and
// destroyed. Throws UserError as long as nothing has been written; RunError for damaged files of the run and for failures after that; RunStopped when a signal stopped it;
// RunWaits when a stage waits.
RunReport run_pipeline(const Plan& plan, RunFolder& folder, const RunOptions& options = {});

// Creates the components of every stage, without the results of earlier stages, and destroys them. Adds the first mistake of each stage to `diagnostics`.
void try_components(const Plan& plan, Diagnostics& diagnostics);

}  // namespace tenon::host
