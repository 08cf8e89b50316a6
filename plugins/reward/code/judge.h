// From a task and a program to a verdict, in a box that is replaced when it breaks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "compiled.h"
#include "python.h"
#include "task.h"

namespace tenon::code {

struct JudgeSetup {
  sandbox::BoxSetup box;
  Interpreter python;
  std::string compiler;            // path
  std::vector<std::string> flags;  // of the compiler
  std::vector<Command> commands;   // further languages
};

// All functions: any thread.
class Judge {
 public:
  // Throws sandbox::Error where no box can be had, or the interpreter does not start in it.
  explicit Judge(JudgeSetup setup);

  // Tries the commands and, if asked to, the C++ compiler. Throws std::runtime_error that names the option that is wrong, sandbox::Error where it cannot be told.
  void try_out(bool cpp, const Limits& limits);

  // What becomes of the program. Where the box failed, and not the program (no descriptors, no processes, no memory to be had; a box that was killed), it is
  // tried once more, in a new box if the old one is gone; kSandboxError after that. Where programs have a number of threads together, one that got none is
  // tried once more alone; so is one that the kernel ended for what others took. In such a second round nothing else is tried again. kUnjudged: the row's tests
  // are to blame.
  Result judge(const Task& task, const std::string& program, const std::string& language,
               const Settings& settings);
  // As far as it can be told without a program: kUnjudged where the row's tests can judge none, else kOk.
  Result check(const Task& task, const Settings& settings);

  // What protects the machine, one line each; of the first box.
  const std::vector<std::string>& description() const { return description_; }

 private:
  struct Engine;
  template <class Work>
  Result in_box(const Settings& settings, Work&& work);
  std::string cpp_defect(Engine& engine, const Limits& limits) const;
  std::shared_ptr<Engine> current(const std::shared_ptr<Engine>& broken);

  const JudgeSetup setup_;
  std::vector<std::string> description_;
  std::shared_mutex running_;  // held by one alone that must not share
  std::mutex mutex_;           // of engine_
  std::shared_ptr<Engine> engine_;
};

}  // namespace tenon::code
