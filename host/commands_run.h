// `tenon run` and `tenon resume`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/outlook.h"

namespace tenon::host {

struct RunArguments {
  std::filesystem::path config;
  std::vector<std::string> set;                    // --set a.b=c
  std::vector<std::filesystem::path> plugin_path;  // --plugin-path
  std::optional<uint32_t> threads;                 // --threads; otherwise run.threads
  bool fresh = false;                              // --new: a run folder of its own, <name>-2
  bool json = false;                               // --json: the answer on stdout as one JSON object
  StageChoice choice;                              // --from, --only, --force
  bool silent = false;       // of a run that went well nothing on stdout, which others report; progress is on stderr
  bool is_resolved = false;  // as make_plan's
};

struct ResumeArguments {
  std::filesystem::path run;  // the run's folder
  std::vector<std::filesystem::path> plugin_path;
  std::optional<uint32_t> threads;
  bool json = false;
};

// Both print what they did and return an exit code of command_line.h. They throw nothing.
int run_command(const RunArguments& arguments);
int resume_command(const ResumeArguments& arguments);

// Throws UserError if the run's folder is that of another configuration file, whose records this one would take over.
void check_same_config(const Plan& plan);

}  // namespace tenon::host
