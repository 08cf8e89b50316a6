// `tenon plan`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/outlook.h"

namespace tenon::host {

struct PlanArguments {
  std::filesystem::path config;
  std::vector<std::string> set;                    // --set a.b=c
  std::vector<std::filesystem::path> plugin_path;  // --plugin-path
  StageChoice choice;                              // --from, --only, --force
  bool json = false;                               // --json: the answer as one JSON object
  bool graph = false;                              // --graph: the answer in Graphviz's language
};

// Prints what `tenon run` would do with each stage, and why; writes nothing. Returns an exit code of command_line.h.
int plan_command(const PlanArguments& arguments);

}  // namespace tenon::host
