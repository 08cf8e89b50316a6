// Ctrl-C.
// SPDX-License-Identifier: Apache-2.0
#include "host/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <iterator>

#include "host/last_words.h"

namespace tenon::host {

namespace {

std::atomic<bool> stop_requested{false}, is_run{true};
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction old_actions[std::size(kSignals)];

// Only functions that are safe inside a signal handler.
void say(const char* text) {
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_signal(int) {
  if (stop_requested.exchange(true)) {
    say(is_run ? "\nended at once; " : "\nended at once\n");
    if (is_run) say_what_is_kept();
    ::_exit(130);
  }
  say(is_run ? "\nstopping after this step; once more ends at once\n"
             : "\nstopping after this call; once more ends at once\n");
}

}  // namespace

StopSignals::StopSignals(Of of) {
  stop_requested = false, is_run = of == Of::kRun;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], nullptr, &old_actions[i]);
    const bool is_ignored =
        (old_actions[i].sa_flags & SA_SIGINFO) == 0 && old_actions[i].sa_handler == SIG_IGN;
    if (kSignals[i] != SIGHUP || !is_ignored) ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &old_actions[i], nullptr);
}

bool StopSignals::requested() {
  return stop_requested.load(std::memory_order_relaxed);
}

}  // namespace tenon::host
