// What is said when the program ends in the middle of something.
// SPDX-License-Identifier: Apache-2.0
#include "host/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tenon::host {

namespace {

// Of the thread that did something first: the stage's. Threads that do nothing of their own are taken for part of it.
std::atomic<const Doing*> innermost{nullptr};
std::atomic<pid_t> thread_of_innermost{0};
// Of this thread.
thread_local const Doing* own_innermost = nullptr;
// A child that a plugin forked has a copy of `innermost`, but what it does is its own affair.
std::atomic<pid_t> process{0};

constexpr int kCrashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

// Everything here is safe inside a signal handler: no memory is asked for, no lock is taken.
void say(const char* text) {
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}
void say_number(uint64_t number) {
  char digits[24] = {};
  char* at = digits + sizeof digits - 1;
  do *--at = static_cast<char>('0' + number % 10);
  while ((number /= 10) > 0);
  say(at);
}

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "segmentation fault";
    case SIGABRT:
      return "aborted";
    case SIGBUS:
      return "bus error";
    case SIGFPE:
      return "arithmetic error";
    default:
      return "illegal instruction";
  }
}

template <size_t N>
void copy(std::array<char, N>& to, std::string_view from) {
  std::memcpy(to.data(), from.data(), std::min(from.size(), N - 1));
}

}  // namespace

struct LastWords {
  static const Doing* current() {
    if (::getpid() != process.load()) return nullptr;
    return own_innermost != nullptr ? own_innermost : innermost.load(std::memory_order_acquire);
  }

  // " in reward correct, stage zero, step 3 (the first is 0)"
  static void say_where(const Doing* doing) {
    const char* before = " in ";
    for (; doing != nullptr; doing = doing->outer_) {
      say(before);
      say(doing->what_.data());
      before = ", ";
      if (const uint64_t step = doing->step_.load(std::memory_order_relaxed); step != Doing::kNone) {
        say(", step ");
        say_number(step);
        say(" (the first is 0)");
      }
    }
  }

  static bool say_kept(const Doing* doing) {
    for (; doing != nullptr; doing = doing->outer_) {
      if (doing->how_[0] == '\0') continue;
      const uint64_t kept = doing->kept_.load(std::memory_order_relaxed);
      if (kept > 0) {
        say("the checkpoint after step ");
        say_number(kept);
        say(" is kept; go on with: ");
      } else {
        say("there is no checkpoint of this stage yet, so it starts again with: ");
      }
      say(doing->how_.data());
      say("\n");
      return true;
    }
    return false;
  }

  static void on_crash(int signal) {
    if (const Doing* doing = current()) {
      say("\nerror: the program crashed (");
      say(name_of(signal));
      say(")");
      say_where(doing);
      say("\n");
      say_kept(doing);
    }
    // The handler is gone (SA_RESETHAND): this ends the process as if it had never been there.
    ::raise(signal);
  }

  static void on_exit() {
    const Doing* doing = current();
    if (doing == nullptr) return;
    say("\nerror: a plugin ended the program with exit()");
    say_where(doing);
    say("\n");
    say_kept(doing);
    ::_exit(kExitEndedByPlugin);
  }
};

Doing::Doing(std::string_view what, std::string_view how_to_go_on)
    : outer_(own_innermost != nullptr ? own_innermost : innermost.load(std::memory_order_acquire)),
      outer_of_thread_(own_innermost) {
  copy(what_, what);
  copy(how_, how_to_go_on);
  process = ::getpid();
  own_innermost = this;
  const pid_t thread = ::gettid();
  if (outer_ == nullptr) thread_of_innermost = thread;
  if (thread_of_innermost == thread) innermost.store(this, std::memory_order_release);
}

Doing::~Doing() {
  own_innermost = outer_of_thread_;
  if (thread_of_innermost == ::gettid()) innermost.store(outer_, std::memory_order_release);
}

void install_last_words() {
  std::atexit(LastWords::on_exit);
  std::at_quick_exit(LastWords::on_exit);
  // A stack that has overflown has no room for a handler.
  static char stack[1 << 16];
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof stack;
  ::sigaltstack(&alternate, nullptr);
  for (const int signal : kCrashes) {
    struct sigaction old {
    }, action{};
    ::sigaction(signal, nullptr, &old);
    if ((old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL) continue;
    action.sa_handler = LastWords::on_crash;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
}

void say_what_is_kept() {
  if (!LastWords::say_kept(LastWords::current())) say("no stage was running\n");
}

}  // namespace tenon::host
