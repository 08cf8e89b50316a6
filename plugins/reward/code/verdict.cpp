// From the end of a process to a verdict.
// SPDX-License-Identifier: Apache-2.0
#include "verdict.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cstdlib>
#include <sstream>
#include <thread>

#include "utf8/utf8.h"

namespace tenon::code {

const char* name_of(Verdict verdict) {
  constexpr const char* names[] = {
      "ok",           "wrong",         "runtime_error", "time",          "memory",
      "output_limit", "compile_error", "no_code",       "sandbox_error", "unjudged"};
  return names[static_cast<size_t>(verdict)];
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  const size_t begin = text.rfind('\n');
  return std::string(begin == std::string_view::npos ? text : text.substr(begin + 1)).substr(0, 160);
}

std::string printable(std::string_view text) {
  std::string out = utf8::repaired(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return out;
}

namespace {

// Each second: ten computing neighbours a processor make some 40 of them, a sleeper's start one or two in all.
constexpr double kLeastPreempted = 3;

std::string seconds(double s) {
  std::ostringstream text;
  text << s << " s";
  return text.str();
}

}  // namespace

std::pair<Verdict, std::string> classify(const sandbox::Outcome& o, std::string_view errors,
                                         const Limits& limits, bool is_busy) {
  if (!o.reported) return {Verdict::kSandboxError, "the box lost the process"};
  if (o.output_limit)
    return {Verdict::kOutputLimit, "more than " + std::to_string(limits.output >> 10) + " KiB of output"};
  const double cpu = static_cast<double>(o.report.cpu_us) * 1e-6;
  const bool is_starved =
      o.report.is_unmeasured == 0 && cpu < limits.cpu_seconds && waited_for_a_processor(o) && is_busy;
  if (o.timed_out && is_starved && !limits.may_try_again)
    return {Verdict::kSandboxError, "the busy machine gave it " + seconds(cpu) + " of its " +
                                        seconds(limits.cpu_seconds) + " of processor time in " +
                                        seconds(limits.wall_seconds)};
  if (o.timed_out)
    return {Verdict::kTime, "wall-clock limit of " + seconds(limits.wall_seconds) +
                                (limits.is_second_try ? ", in a second try" : "")};
  if (o.report.error != 0)
    return {Verdict::kSandboxError,
            "step " + std::to_string(o.report.step) + " before the program: " + strerror(o.report.error)};
  const std::pair<Verdict, std::string> used_up{Verdict::kTime,
                                                "processor time limit of " + seconds(limits.cpu_seconds)};
  if (cpu > limits.cpu_seconds) return used_up;
  const int status = o.report.status;
  if (status == 0) return {Verdict::kOk, ""};
  const std::string last = last_line(errors);
  if (last.starts_with("MemoryError") || errors.find("std::bad_alloc") != std::string_view::npos)
    return {Verdict::kMemory, last};
  for (const char* name : {"SyntaxError", "IndentationError", "TabError"})
    if (last.starts_with(name)) return {Verdict::kCompileError, last};
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGSYS) return {Verdict::kRuntimeError, "a forbidden system call"};
    // RLIMIT_CPU counts by ticks, which on a busy machine run ahead of the time that is reported.
    if (signal == SIGXCPU) return used_up;
    const bool is_full =
        static_cast<double>(o.report.peak_kib) * 1024 > 0.8 * static_cast<double>(limits.memory);
    if (signal == SIGKILL && !is_full && cpu > 0.5 * limits.cpu_seconds) return used_up;
    if (signal == SIGKILL && o.stopped && !is_full) return {Verdict::kOk, ""};  // no end of its own
    if (signal == SIGKILL) return {Verdict::kMemory, "killed by the kernel"};
    if (static_cast<double>(o.report.peak_kib) * 1024 > 0.9 * static_cast<double>(limits.memory))
      return {Verdict::kMemory, "peak at the limit"};
    return {Verdict::kRuntimeError,
            std::string("signal ") + sigabbrev_np(signal) + (last.empty() ? "" : ": " + last)};
  }
  return {Verdict::kRuntimeError,
          "exit status " + std::to_string(WEXITSTATUS(status)) + (last.empty() ? "" : ": " + last)};
}

void Result::count(const sandbox::Outcome& o, const Limits& limits) {
  cpu_seconds += static_cast<double>(o.report.cpu_us) * 1e-6;
  peak_mib = std::max(peak_mib, static_cast<double>(o.report.peak_kib) / 1024);
  starved |= was_killed_by_others(o, limits);
}

bool was_killed_by_others(const sandbox::Outcome& o, const Limits& limits) {
  const double cpu = static_cast<double>(o.report.cpu_us) * 1e-6;
  const int status = o.report.status;
  return o.reported && o.report.error == 0 && !o.timed_out && !o.output_limit && !o.stopped &&
         WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && cpu < 0.5 * limits.cpu_seconds &&
         static_cast<double>(o.report.peak_kib) * 1024 < 0.8 * static_cast<double>(limits.memory);
}

bool deserves_another_try(const sandbox::Outcome& o, const Limits& limits) {
  if (!limits.may_try_again) return false;
  const double cpu = static_cast<double>(o.report.cpu_us) * 1e-6;
  if (was_killed_by_others(o, limits)) return true;
  if (!o.timed_out || cpu >= limits.cpu_seconds) return false;
  return o.report.is_unmeasured != 0 ? machine_is_busy() : waited_for_a_processor(o);
}

bool waited_for_a_processor(const sandbox::Outcome& o) {
  return static_cast<double>(o.report.preempted) > kLeastPreempted * o.wall_seconds;
}

bool machine_is_busy() {
  double load = 0;
  return getloadavg(&load, 1) == 1 && load > static_cast<double>(std::thread::hardware_concurrency()) + 1;
}

}  // namespace tenon::code
