// Ctrl-C.
// SPDX-License-Identifier: Apache-2.0
#include "host/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace tenon::host {

namespace {

std::atomic<bool> stop_requested{false};
struct sigaction old_interrupt, old_terminate;

// Only functions that are safe inside a signal handler.
void say(const char* text) {
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_signal(int) {
  if (stop_requested.exchange(true)) {
    say("\nended at once; the last complete checkpoint is intact\n");
    ::_exit(130);
  }
  say("\nstopping after this step; once more ends at once\n");
}

}  // namespace

StopSignals::StopSignals() {
  stop_requested = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &old_interrupt);
  ::sigaction(SIGTERM, &action, &old_terminate);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &old_interrupt, nullptr);
  ::sigaction(SIGTERM, &old_terminate, nullptr);
}

bool StopSignals::requested() {
  return stop_requested.load(std::memory_order_relaxed);
}

}  // namespace tenon::host
