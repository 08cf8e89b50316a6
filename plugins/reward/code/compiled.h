// Solutions that are compiled, and those of other languages that a command line builds and runs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cpp_function.h"
#include "stdio_tests.h"
#include "verdict.h"

namespace tenon::code {

// A language of the table: `build` and `run` are shell text, run in a folder with the solution in `file`.
struct Command {
  std::string name, file, build, keep, run;
};

// A header that is compiled beforehand, at its first use, and then goes before a program's text.
enum class Header {
  kNone,
  kDriver,     // the driver's own includes
  kUsual,      // what HumanEval-X puts before every program, and the driver's
  kEverything  // <bits/stdc++.h>
};

// A compiler's path, by name (/usr/bin, /usr/local/bin, then PATH) or path. Throws std::runtime_error saying what is missing if one is needed; else empty.
std::string find_compiler(const std::string& name, bool is_needed);

// All functions: any thread.
class Compiled {
 public:
  // compiler: path; flags: for all programs. box must outlive it.
  Compiled(sandbox::Sandbox& box, std::string compiler, std::vector<std::string> flags)
      : box_(box), compiler_(std::move(compiler)), flags_(std::move(flags)) {}

  Result run(const std::string& program, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, const Settings& settings);
  // `program` as join_cpp has it.
  Result test(const std::string& program, const CppTests& tests, const Settings& settings);
  // Whether the tests can judge a solution at all: kUnjudged with the reason where they cannot. They are compiled once.
  Result check(const CppTests& tests, const Limits& limits);
  // Why nothing can be judged with this compiler and these flags, with the option that is to blame, found by building and running a program of one line; else
  // empty. Done once. Throws sandbox::Error where that cannot be told, or not in the time that there is; the next call tries again.
  std::string defect(const Limits& limits);
  // The same of a language's command lines, `at` their option, tried with an empty program: what is not there, and what the system-call filter ends. Any
  // other end may be an empty program's. Not once.
  std::string defect(const Command& command, const std::string& at, const Limits& limits);
  // A program that a forbidden system call ended counts as kSandboxError until one in its language has ended otherwise.
  Result run_command(const Command& command, const std::string& program,
                     const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                     const Settings& settings);

 private:
  struct Built {
    Verdict verdict = Verdict::kOk;
    std::string detail, program;  // program: the bytes of what was built
    int status = 0;               // of the build, as waitpid gives it
    bool starved = false;         // the kernel ended the compiler, and not for what it took itself
    bool late = false;            // the clock ended the compiler
    bool late_on_a_busy_machine = false;
  };
  // A row's tests; compiled under the lock.
  struct Tester {
    std::mutex mutex;
    std::optional<Built> built;
  };
  struct Precompiled {
    std::once_flag once;
    std::string option;  // for the compiler; empty where it could not be made
  };
  // The tests and a solution, each in a process.
  struct Pair {
    sandbox::Outcome tests, solution;
    std::string tests_errors, solution_errors;
  };
  std::string find_defect(const std::vector<std::string>& flags, const Limits& limits);
  sandbox::BoxJob compile_job(const std::vector<std::string>& flags, const Limits& limits) const;
  Built build_command(const Command& command, const std::string& program, const Limits& limits);
  Printed run_command_once(const Command& command, const std::string& input, int program,
                           const Limits& limits);
  void note_that_it_works(const Command& command);
  bool is_known_to_work(const Command& command);
  const std::string& precompiled(Header header, const Limits& limits);
  Built compile(Header header, const std::string& source, const Limits& limits);
  // With a second try where the machine may be to blame. job: one input, the source, and one output.
  Built build(sandbox::BoxJob& job, const std::string& source, const Limits& limits);
  Built build_once(const sandbox::BoxJob& job, const std::string& source, const Limits& limits);
  // program: what the job runs or has as input.
  Printed run_once(const sandbox::BoxJob& job, const std::string& input, int program, const Limits& limits);
  // What a build that failed says of the solution; of one that did not fail: nothing.
  static Result failed(const Built& built, size_t tests);
  static Built built_of(const sandbox::Outcome& outcome, const std::string& errors, const Limits& limits);
  Built tests_program(const CppTests& tests, const Limits& limits);
  Pair run_pair(int tests, int solution, const Limits& limits);

  sandbox::Sandbox& box_;
  const std::string compiler_;
  const std::vector<std::string> flags_;
  std::array<Precompiled, 4> precompiled_;
  std::mutex mutex_;  // of what follows
  std::unordered_map<std::string, std::shared_ptr<Tester>> testers_;
  std::set<std::string> working_;  // names of commands
  std::mutex defect_mutex_;        // of what follows
  std::optional<std::string> defect_;
};

}  // namespace tenon::code
