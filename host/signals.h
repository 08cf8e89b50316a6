// Ctrl-C: the first asks the run to stop after the current step, the second ends the process at once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tenon::host {

// While it lives, SIGINT, SIGTERM and SIGHUP (the terminal is gone; not if it is ignored, as under nohup) set the flag; a second one ends the process with
// code 130 and says which checkpoint there is. One at a time.
class StopSignals {
 public:
  // What ends a call of `tenon score` has no checkpoint.
  enum class Of { kRun, kScore };
  explicit StopSignals(Of of = Of::kRun);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  // [any thread]
  static bool requested();
};

}  // namespace tenon::host
