// Ctrl-C: the first asks the run to stop after the current step, the second ends the process at once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tenon::host {

// While it lives, SIGINT and SIGTERM set the flag; a second one ends the process with code 130. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  // [any thread]
  static bool requested();
};

}  // namespace tenon::host
