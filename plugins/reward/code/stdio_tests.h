// Tests on standard input and output, whatever runs the program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "verdict.h"

namespace tenon::code {

// The end of one process, and what it wrote.
struct Printed {
  sandbox::Outcome outcome;
  std::string out, errors;
};

// Runs the program with that input until it ends, at most as long as the limits' wall-clock time.
using RunOnce = std::function<Printed(const std::string& input, const Limits& limits)>;

// One run an input; of one input, a second run where the first deserves it. Stops at the first failure, with settings.all_tests at the kMostTimeOuts'th
// time-out.
Result judge_printed(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                     const Settings& settings, const RunOnce& run);

}  // namespace tenon::code
