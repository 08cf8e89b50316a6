// Solutions that are compiled, and those of other languages that a command line builds and runs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "verdict.h"

namespace tenon::code {

// Tests of one C++ function: a program whose main() asserts.
struct CppTests {
  std::string
      declaration;  // helpers and the head of the function, up to its "{" or into its body: what a completion continues
  std::string includes;  // a text with further #include lines
  std::string test;      // with main()
};

// A language of the table: `build` and `run` are shell text, run in a folder with the solution in `file`.
struct Command {
  std::string name, file, build, keep, run;
};

// The head of the function that `declaration` ends in.
struct FunctionHead {
  std::string before;                   // everything ahead of it
  std::string text;                     // "bool f(vector<float> numbers, float threshold)"
  std::string name;                     // "f"
  size_t name_at = 0;                   // in text
  std::vector<std::string> parameters;  // names
};
// Nothing where it cannot be read: `why` says so.
bool read_head(const std::string& declaration, FunctionHead& out, std::string& why);

// The solution's whole program text, from a continuation of the declaration or a program that defines the function itself.
std::string join_cpp(const CppTests& tests, const std::string& code);

// All functions: any thread.
class Compiled {
 public:
  // compiler: path; flags: for all programs. box must outlive it.
  Compiled(sandbox::Sandbox& box, std::string compiler, std::vector<std::string> flags)
      : box_(box), compiler_(std::move(compiler)), flags_(std::move(flags)) {}

  Result run(const std::string& program, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, const Settings& settings);
  Result test(const std::string& program, const CppTests& tests, const Settings& settings);
  Result run_command(const Command& command, const std::string& program,
                     const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                     const Settings& settings);

 private:
  struct Built {
    Verdict verdict = Verdict::kOk;
    std::string detail, program;  // program: the executable's bytes
  };
  Built compile(const std::string& source, const Limits& limits);
  // Where <bits/stdc++.h> is compiled beforehand: an option for the compiler. Made at the first program that wants it; empty where that fails.
  std::string precompiled(const Limits& limits);

  sandbox::Sandbox& box_;
  const std::string compiler_;
  const std::vector<std::string> flags_;
  std::once_flag precompile_;
  std::string precompiled_;
  std::mutex mutex_;  // of what follows
  std::unordered_map<std::string, Built> testers_;
};

}  // namespace tenon::code
