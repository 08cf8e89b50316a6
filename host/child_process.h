// Another process, for work that may crash or hang.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace tenon::host {

struct ChildResult {
  int exit_code = -1;      // if it exited
  int signal = 0;          // that ended it; 0: none
  bool timed_out = false;  // it was killed at the limit
  std::string output;      // its stdout
};

// Runs `program` with the arguments, its stderr thrown away, and waits for its end; after `limit` it is
// killed, with its children. Throws std::runtime_error if it cannot be started.
ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                      std::chrono::milliseconds limit);

}  // namespace tenon::host
