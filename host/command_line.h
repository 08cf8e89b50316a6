// The command line: `tenon <command> …`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::host {

// 0: done. 1: failed while running. 2: a mistake of the user; nothing was written. 130: stopped by Ctrl-C,
// after a checkpoint; or ended by a second one, with the checkpoint before it. 75: a stage waits for something outside of the run. 70: a plugin called exit
// (last_words.h).
inline constexpr int kExitOk = 0, kExitFailed = 1, kExitUser = 2, kExitWaits = 75, kExitStopped = 130;

// Parses the arguments, runs the command and returns the exit code. Throws nothing.
int command_line(int argc, char** argv);

// "0.1.0"
const char* version();

}  // namespace tenon::host
