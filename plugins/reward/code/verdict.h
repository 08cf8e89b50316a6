// What became of a solution, and the limits it runs under.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "output.h"
#include "sandbox/sandbox.h"

namespace tenon::code {

enum class Verdict {
  kOk,
  kWrong,
  kRuntimeError,
  kTime,
  kMemory,
  kOutputLimit,
  kCompileError,
  kNoCode,
  kSandboxError,
  kUnjudged
};
const char* name_of(Verdict verdict);  // "ok", "wrong", "runtime_error", …

constexpr double kPatience = 3;
constexpr uint64_t kMostTimeOuts = 3;  // of a sample whose tests are all run: the rest count as failed

struct Limits {
  double cpu_seconds = 5;  // of one process
  double wall_seconds = 12;
  double build_seconds = 30;  // wall clock of a compilation
  uint64_t memory = uint64_t{1} << 30;
  uint64_t build_memory = uint64_t{3} << 30;
  uint64_t stack = uint64_t{64} << 20;
  uint64_t output = uint64_t{16} << 20;
  bool may_try_again = true;  // what was late or killed by the machine's fault; once a sample
  bool is_second_try = false;
  // Of the second try.
  Limits patient() const {
    Limits more = *this;
    more.may_try_again = false;
    more.is_second_try = true;
    more.wall_seconds *= kPatience;
    more.build_seconds *= kPatience;
    return more;
  }
  // Where the kernel ends a process, in seconds: beyond cpu_seconds, which is judged afterwards by the time that was used.
  uint64_t cpu_ceiling() const { return static_cast<uint64_t>(1.25 * cpu_seconds) + 1; }
};

struct Settings {
  Limits limits;
  Compare compare = Compare::kTokens;
  double tolerance = 1e-6;
  bool all_tests = false;  // go on after a failure, to know the share that passes
};

struct Result {
  Verdict verdict = Verdict::kOk;
  std::string detail;  // a few words
  uint64_t passed = 0, total = 0;
  double cpu_seconds = 0, peak_mib = 0;
  bool starved = false;  // the kernel ended it, and not for what it took itself
  sandbox::Layer layer = sandbox::Layer::kUserNamespaces;  // of the box it ran in

  void count(const sandbox::Outcome& o, const Limits& limits);
  // Records a failure; the first one is the verdict.
  void fail(Verdict v, std::string why) {
    if (verdict != Verdict::kOk) return;
    verdict = v;
    detail = std::move(why);
  }
};

// Whether more threads want to run than there are processors for.
bool machine_is_busy();
// What the end of a process says, kOk where it ended with status 0. errors: the end of what it wrote to standard error.
// Nothing (kSandboxError) where the clock ended the last try of a process that had time left and waited for a processor of a busy machine.
std::pair<Verdict, std::string> classify(const sandbox::Outcome& outcome, std::string_view errors,
                                         const Limits& limits, bool is_busy = machine_is_busy());
// Whether its end may be the machine's fault: a wall-clock time-out of a process that had processor time left and waited for a processor (of one that slept
// it is not); a kill of one that had taken little of its memory and time (the kernel's, short of memory for all; a neighbour's). False where the limits say
// that there is no further try.
bool deserves_another_try(const sandbox::Outcome& outcome, const Limits& limits);
// The latter of the two: the kernel's, short of memory for all, or for a neighbour in the same control group.
bool was_killed_by_others(const sandbox::Outcome& outcome, const Limits& limits);
// Whether a process that ended late lost its processor again and again: what computes on a busy machine does, what sleeps does not.
bool waited_for_a_processor(const sandbox::Outcome& outcome);

// The last line that is not empty, at most 160 bytes of it.
std::string last_line(std::string_view text);
// A text that has a stranger's words in it, as one line of valid UTF-8.
std::string printable(std::string_view text);

}  // namespace tenon::code
