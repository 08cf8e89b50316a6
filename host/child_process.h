// Another process of this program, for work that may crash or hang.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace tenon::host {

struct ChildResult {
  int exit_code = -1;      // if it exited
  int signal = 0;          // that ended it; 0: none
  bool timed_out = false;  // it was killed at the limit
  std::string output;      // its stdout
};

// Runs this program with the arguments (without its name), its stderr thrown away, and waits for its end, at most for `limit`. Throws
// std::runtime_error if it cannot be started.
ChildResult run_self(const std::vector<std::string>& arguments, std::chrono::milliseconds limit);

}  // namespace tenon::host
