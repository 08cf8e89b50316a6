// What can end a run that has begun. Mistakes of the user are UserError (diagnostics.h).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace tenon::host {

// The run failed: exit code 1. The text names the file or the component.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The run was stopped by a signal, and what it had is saved: exit code 130. The text says how to go on.
class RunStopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A stage waits for something outside of the run (people who rank), and what it had is saved: exit code 75. The text says for what, and how to go on.
class RunWaits : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace tenon::host
