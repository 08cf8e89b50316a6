// Python solutions: a fork server in the box, one child each program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "value.h"
#include "verdict.h"

namespace tenon::code {

// An interpreter and the folders it reads.
struct Interpreter {
  std::string path, version;
  std::vector<std::string> folders;
};
// Finds it by name or path ("auto": /usr/bin, /usr/local/bin, then PATH) and asks it where its library is. Throws std::runtime_error saying what is missing.
Interpreter find_python(const std::string& name);

// A function's tests.
struct PythonTests {
  std::string prelude;  // defines what the tests may use besides the solution (HumanEval: the prompt)
  std::string setup;    // MBPP: test_setup_code
  std::string entry;    // the function that `candidate` stands for; may be empty
  std::vector<std::string> tests;  // statements with asserts
  bool check = false;              // the tests define check(candidate), which is to be called
};

// All functions: any thread.
class Python {
 public:
  // Starts nothing yet; box must outlive it.
  Python(sandbox::Sandbox& box, Interpreter interpreter) : box_(box), interpreter_(std::move(interpreter)) {}

  // The whole program on each input; its output against the expected one.
  Result run(const std::string& program, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, const Settings& settings);
  // Whether the tests can judge a solution at all: kUnjudged with the reason (a syntax error, a setup that fails) where they cannot. They are read once.
  Result check(const PythonTests& tests, const Limits& limits);
  // The program's functions under tests.
  Result test(const std::string& program, const PythonTests& tests, const Settings& settings);
  // Starts the fork server; throws sandbox::Error with what the interpreter says.
  void start();

 private:
  struct Plan {
    std::string defect;
    bool plain = false;  // calls with constants to compare with; otherwise the tests run as they are
    std::vector<std::vector<Value>> calls;  // of each test: [text, how, expected]
  };
  struct Child;
  // The tests and the solution, each in a process.
  struct Apart {
    sandbox::Outcome tester, candidate;
    std::vector<Value> frames;  // of the tester, one each test
    std::string errors;         // of the candidate
  };
  void ensure_started();
  sandbox::Fd fork(const std::string& mode, const std::vector<int>& fds, const Limits& limits);
  Plan plan(const PythonTests& tests, const Limits& limits);
  Result test_calls(const std::string& program, const PythonTests& tests, const Plan& plan,
                    const Settings& settings);
  Apart run_apart(const std::string& program, const std::string& request, const Limits& limits);
  Result test_apart(const std::string& program, const PythonTests& tests, const Settings& settings);

  sandbox::Sandbox& box_;
  const Interpreter interpreter_;
  std::mutex mutex_;  // of what follows
  bool running_ = false;
  sandbox::Fd server_, status_, errors_;
  std::unordered_map<std::string, Plan> plans_;
};

}  // namespace tenon::code
