// Tests of the reward code: verdicts of each kind, forms of rows, and what a solution cannot do to be called right.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::json::quote;
using tenon::testing::Verdict;
using Reward = tenon::testing::Instance<tenon_reward_vt>;

std::unique_ptr<Reward> make(std::map<std::string, std::string> options = {}) {
  options.try_emplace("time", "\"1s\"");
  return std::make_unique<Reward>(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                  std::move(options));
}

// One instance for the tests that need no options of their own: a box takes a moment to start.
Verdict judge(const std::string& completion, const std::string& meta) {
  static const std::unique_ptr<Reward> reward = make();
  return tenon::testing::judge(*reward, completion, meta);
}
std::string verdict(const std::string& completion, const std::string& meta) {
  const Verdict v = judge(completion, meta);
  EXPECT_EQ(v.reward, v.why.starts_with("ok") ? 1 : 0) << v.why;
  return v.status == TENON_R_OK ? v.why.substr(0, v.why.find(':'))
                                : "status " + std::to_string(v.status) + ": " + v.why;
}
std::string fenced(const std::string& language, const std::string& code) {
  return "Here it is.\n```" + language + "\n" + code + "```\n";
}

const std::string kSum = R"({"tests": {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}})";
const std::string kAdd =
    R"({"test_list": ["assert add(1, 2) == 3", "assert add(0.1, 0.2) == 0.3", "assert add([1], [2]) == [1, 2]"]})";

TEST(Code, PythonOnStandardInput) {
  EXPECT_EQ(verdict(fenced("python", "a, b = map(int, input().split())\nprint(a + b)\n"), kSum), "ok");
  EXPECT_EQ(verdict("<think>```python\nprint(1)\n```</think>\n" +
                        fenced("python", "print(sum(map(int, input().split())))\n"),
                    kSum),
            "ok");
  EXPECT_EQ(verdict(fenced("python", "print(3)\n"), kSum), "wrong");
  EXPECT_EQ(verdict(fenced("python", "print(1 / 0)\n"), kSum), "runtime_error");
  EXPECT_EQ(verdict(fenced("python", "print(\n"), kSum), "compile_error");
  EXPECT_EQ(verdict(fenced("python", "while True: pass\n"), kSum), "time");
  EXPECT_EQ(verdict(fenced("python", "x = 'a' * 10**11\n"), kSum), "memory");
  EXPECT_EQ(verdict(fenced("python", "while True: print('x' * 10**6)\n"), kSum), "output_limit");
  EXPECT_EQ(verdict(" \n", kSum), "no_code");
  EXPECT_EQ(verdict(fenced("python",
                           "import threading\nthreading.Thread(target=lambda: print(sum(map(int, "
                           "input().split())))).start()\n"),
                    kSum),
            "ok");
}

TEST(Code, CppOnStandardInput) {
  EXPECT_EQ(
      verdict(
          fenced("cpp",
                 "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n"),
          kSum),
      "ok");
  EXPECT_EQ(verdict(fenced("cpp",
                           "#include <bits/stdc++.h>\nusing namespace std;\nint main() { int a, b; cin >> a "
                           ">> b; cout << a + b << endl; }\n"),
                    kSum),
            "ok");
  EXPECT_EQ(verdict(fenced("cpp", "int main() { return 0; }\n"), kSum), "wrong");
  EXPECT_EQ(verdict(fenced("cpp", "int main() { return *(volatile int*)0; }\n"), kSum), "runtime_error");
  EXPECT_EQ(verdict(fenced("cpp", "int main() { for (volatile int i = 0;; i = i + 1); }\n"), kSum), "time");
  EXPECT_EQ(
      verdict(fenced("cpp", "#include <vector>\nint main() { std::vector<char> v(1L << 40, 1); }\n"), kSum),
      "memory");
  EXPECT_EQ(verdict(fenced("cpp", "int main() { return x; }\n"), kSum), "compile_error");
}

TEST(Code, FunctionsUnderAsserts) {
  EXPECT_EQ(verdict(fenced("python", "def add(a, b):\n    return a + b\n"), kAdd), "ok");
  EXPECT_EQ(verdict(fenced("python", "def add(a, b):\n    return a - b\n"), kAdd), "wrong")
      << "the first failure is the verdict";
}

TEST(Code, AResultIsAPlainValue) {
  for (const char* code :
       {"class A:\n    def __eq__(self, o): return True\ndef add(a, b): return A()\n",
        "class A(int):\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\ndef "
        "add(a, b): return A()\n",
        "class A(list):\n    def __eq__(self, o): return True\ndef add(a, b): return A()\n"})
    EXPECT_EQ(verdict(fenced("python", code), kAdd), "wrong") << code;
}

TEST(Code, LeavingEarlyIsNoSuccess) {
  for (const char* how : {"sys.exit(0)", "os._exit(0)", "raise SystemExit", "quit()"}) {
    EXPECT_EQ(
        verdict(fenced("python", std::string("import os, sys\ndef add(a, b):\n    ") + how + "\n"), kAdd),
        "runtime_error")
        << how;
    EXPECT_NE(verdict(fenced("python", std::string("import os, sys\n") + how + "\n"), kAdd), "ok") << how;
  }
}

const std::string kHumanEval =
    "{\"prompt\": " +
    quote("from typing import List\n\ndef twice(x: List[int]) -> List[int]:\n    \"\"\"Doubles.\"\"\"\n") +
    R"(, "entry_point": "twice", "test": )" +
    quote("def check(candidate):\n    assert candidate([1]) == [2]\n    assert candidate([]) == []\n") + "}";
const std::string kLoop =
    "{\"prompt\": " +
    quote("def half(x):\n    return x / 2\n\ndef root(x: float):\n    \"\"\"Square root.\"\"\"\n") +
    R"(, "entry_point": "root", "test": )" +
    quote(
        "def check(candidate):\n    for k in range(5):\n        assert abs(candidate(k * k) - 2 * half(k)) < "
        "1e-6\n") +
    "}";

TEST(Code, HumanEvalRows) {
  EXPECT_EQ(verdict("    return [2 * v for v in x]\n\ndef more(:\n", kHumanEval), "ok")
      << "a continuation, cut where the function ends";
  EXPECT_EQ(
      verdict(fenced("python", "def twice(x: List[int]):\n    return [2 * v for v in x]\n"), kHumanEval),
      "ok")
      << "with the prompt's imports";
  EXPECT_EQ(verdict("    return x\n", kHumanEval), "wrong");
  EXPECT_EQ(verdict("    return x ** 0.5\n", kLoop), "ok") << "the tests run in a process of their own";
  EXPECT_EQ(verdict("    return x\n", kLoop), "wrong");
  EXPECT_EQ(verdict("    import os; os._exit(0)\n", kLoop), "runtime_error");
  EXPECT_EQ(verdict("    import builtins\n    builtins.abs = lambda v: 0\n    return 7\n", kLoop), "wrong");
}

const std::string kCpp = "{\"declaration\": " +
                         quote("#include <vector>\nusing namespace std;\nint total(vector<int> values){\n") +
                         ", \"test\": " +
                         quote(
                             "#undef NDEBUG\n#include <assert.h>\nint main() { assert(total({1, 2}) == 3); "
                             "assert(total({}) == 0); }\n") +
                         "}";

TEST(Code, CppFunctions) {
  EXPECT_EQ(verdict("    int s = 0;\n    for (int v : values) s += v;\n    return s;\n}\n", kCpp), "ok");
  EXPECT_EQ(verdict(fenced("cpp",
                           "int total(vector<int> values) { int s = 0; for (int v : values) s += v; return "
                           "s; }\nint main() { return total({}); }\n"),
                    kCpp),
            "ok");
  EXPECT_EQ(verdict("    return 3;\n}\n", kCpp), "wrong");
  EXPECT_EQ(verdict("    _Exit(0);\n}\n", kCpp), "runtime_error");
  EXPECT_EQ(verdict("    return 3;\n}\nstruct S { S() { _Exit(0); } } s;\n", kCpp), "runtime_error");
  EXPECT_EQ(verdict("    return 3;\n}\n#define assert(x)\n", kCpp), "wrong");
  EXPECT_EQ(verdict("    return values[0] +;\n}\n", kCpp), "compile_error");
}

TEST(Code, RowsWithoutTestsAreRefused) {
  EXPECT_EQ(judge("print(1)", "{}").status, TENON_R_REFUSED);
  EXPECT_EQ(judge("print(1)", R"({"tests": {"inputs": ["1"], "outputs": []}})").status, TENON_R_REFUSED);
}

TEST(Code, SharesAndValues) {
  const auto reward = make({{"credit", "\"share\""}, {"right", "2"}, {"wrong", "-1"}});
  EXPECT_EQ(tenon::testing::judge(*reward, "print(3)", kSum).reward, 0.5);
  EXPECT_EQ(tenon::testing::judge(*reward, "print(0)", kSum).reward, -1);
  EXPECT_EQ(tenon::testing::judge(*reward, "print(sum(map(int, input().split())))", kSum).reward, 2);
}

TEST(Code, OtherLanguagesByCommands) {
  const auto reward = make(
      {{"commands",
        R"([{"name": "sh", "file": "a.sh", "run": "sh a.sh"}, {"name": "c", "file": "a.c", "build": "gcc a.c -o a", "keep": "a", "run": "./a"}])"}});
  EXPECT_EQ(tenon::testing::judge(*reward, fenced("sh", "read a b; echo $((a + b))\n"),
                                  R"({"language": "sh", "tests": [{"input": "1 2", "output": "3"}]})")
                .reward,
            1);
  EXPECT_EQ(
      tenon::testing::judge(*reward, "x", R"({"language": "cobol", "tests": [{"input": "", "output": ""}]})")
          .status,
      TENON_R_REFUSED);
}

TEST(Code, WhatIsMissingIsNamed) {
  EXPECT_THROW(make({{"python", "\"/no/such/python\""}}), tenon::Error);
  EXPECT_THROW(make({{"compiler", "\"no-such-compiler\""}}), tenon::Error);
}

}  // namespace
