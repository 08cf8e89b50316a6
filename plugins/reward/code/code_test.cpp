// Tests of the reward code: verdicts of each kind, forms of rows, what a solution cannot do to be called right, and what is no solution's fault.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "testing/rows.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::code::testing::judge_rows;
using tenon::code::testing::Row;
using tenon::json::quote;
using tenon::testing::Verdict;
using Reward = tenon::testing::Instance<tenon_reward_vt>;

std::unique_ptr<Reward> make(std::map<std::string, std::string> options = {}) {
  options.try_emplace("time", "\"0.7s\"");
  options.try_emplace("workers", "2");
  options.try_emplace("flags", R"(["-std=c++17", "-O0", "-pipe"])");
  return std::make_unique<Reward>(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                  std::move(options));
}

// One instance for the tests that need no options of their own: a box takes a moment to start.
const Reward& usual() {
  static const std::unique_ptr<Reward> reward = make();
  return *reward;
}

// "ok", "wrong", …; of a sample without a reward its status and reason.
std::string name_of(const Verdict& v) {
  if (v.status != TENON_R_OK) return "status " + std::to_string(v.status) + ": " + v.why;
  EXPECT_EQ(v.reward, v.why.starts_with("ok:") ? 1 : 0) << v.why;
  return v.why.substr(0, v.why.find(':'));
}

struct Case {
  std::string expected, completion, meta;
};
void expect(const std::vector<Case>& cases, const Reward& reward = usual()) {
  std::vector<Row> rows;
  for (const Case& c : cases) rows.push_back({c.completion, c.meta, ""});
  const auto verdicts = judge_rows(reward, rows);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(name_of(verdicts[i]), cases[i].expected) << verdicts[i].why << "\n" << cases[i].completion;
}

std::string python(const std::string& code) {
  return "Here it is.\n```python\n" + code + "```\n";
}
std::string cpp(const std::string& code) {
  return "Here it is.\n```cpp\n" + code + "```\n";
}

const std::string kSum = R"({"tests": {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}})";
const std::string kAdd =
    R"({"test_list": ["assert add(1, 2) == 3", "assert add(0.1, 0.2) == 0.3", "assert add([1], [2]) == [1, 2]"]})";
const std::string kSumCode = "print(sum(map(int, input().split())))\n";

TEST(Code, PythonOnStandardInput) {
  expect({{"ok", python("a, b = map(int, input().split())\nprint(a + b)\n"), kSum},
          {"ok", "<think>```python\nprint(1)\n```</think>\n" + python(kSumCode), kSum},
          {"ok", python(kSumCode) + "It prints\n```\n3\n```\n", kSum},
          {"ok",
           python("import threading\nthreading.Thread(target=lambda: " +
                  kSumCode.substr(0, kSumCode.size() - 1) + ").start()\n"),
           kSum},
          {"no_code", "<think>\n" + python(kSumCode), kSum},
          {"wrong", python("print(3)\n"), kSum},
          {"runtime_error", python("print(1 / 0)\n"), kSum},
          {"compile_error", python("print(\n"), kSum},
          {"time", python("while True: pass\n"), kSum},
          {"memory", python("x = 'a' * 10**11\n"), kSum},
          {"output_limit", python("while True: print('x' * 10**6)\n"), kSum},
          {"no_code", " \n", kSum}});
}

TEST(Code, ThePythonThatProgramsAreUsedTo) {
  expect({{"ok", python(kSumCode + "exit()\n"), kSum},
          {"ok", python(kSumCode + "import sys\nsys.stdout.close()\n"), kSum},
          {"ok", python("import sys\n" + kSumCode + "sys.stdout = None\n"), kSum},
          {"ok",
           python("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and f(n - 1)\nf(10**4)\n" +
                  kSumCode),
           kSum},
          {"ok",
           python("import os, sys\ndata = os.read(0, os.fstat(0).st_size).split()\nos.write(1, b'%d' % "
                  "sum(map(int, data)))\n"),
           kSum},
          {"ok", python("if __name__ == '__main__':\n    " + kSumCode), kSum},
          {"runtime_error", python(kSumCode + "exit(1)\n"), kSum}});
}

TEST(Code, CppOnStandardInput) {
  const std::string read = "#include <cstdio>\nint a, b;\n";
  expect(
      {{"ok", cpp(read + "int main() { if (scanf(\"%d %d\", &a, &b)) printf(\"%d\", a + b); }\n"), kSum},
       {"wrong", cpp("int main() { return 0; }\n"), kSum},
       {"runtime_error", cpp("int main() { return *(volatile int*)0; }\n"), kSum},
       {"memory", cpp("#include <new>\nint main() { new char[1L << 40]; throw std::bad_alloc(); }\n"), kSum},
       {"compile_error", cpp("int main() { return x; }\n"), kSum}});
}

TEST(Code, FunctionsUnderAsserts) {
  const std::string truth = R"x({"test_list": ["assert f(1) is True", "assert not f(0)"]})x";
  expect({{"ok", python("def add(a, b):\n    return a + b\n"), kAdd},
          {"wrong", python("def add(a, b):\n    return a - b\n"), kAdd},
          {"ok", python("def f(x): return x == 1\n"), truth},
          {"wrong", python("def f(x): return x\n"), truth}});
}

TEST(Code, AResultIsAPlainValue) {
  for (const std::string base : {"", "(int)", "(list)", "(str)", "(dict)"})
    expect({{"wrong",
             python("class A" + base +
                    ":\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n    def "
                    "__hash__(self): return 0\ndef add(a, b): return A()\n"),
             kAdd}});
}

TEST(Code, LeavingEarlyIsNoSuccess) {
  for (const char* how : {"sys.exit(0)", "os._exit(0)", "raise SystemExit", "quit()"})
    expect({{"runtime_error", python(std::string("import os, sys\ndef add(a, b):\n    ") + how + "\n"), kAdd},
            {"runtime_error", python(std::string("import os, sys\n") + how + "\n"), kAdd}});
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
  expect({{"ok", "    return [2 * v for v in x]\n\ndef more(:\n", kHumanEval},
          {"ok", python("def twice(x: List[int]):\n    return [2 * v for v in x]\n"), kHumanEval},
          {"ok", python("from __future__ import annotations\ndef twice(x):\n    return [2 * v for v in x]\n"),
           kHumanEval},
          {"wrong", "    return x\n", kHumanEval},
          {"ok", "    return x ** 0.5\n", kLoop},
          {"wrong", "    return x\n", kLoop},
          {"runtime_error", "    import os; os._exit(0)\n", kLoop},
          {"wrong", "    import builtins\n    builtins.abs = lambda v: 0\n    return 7\n", kLoop}});
}

// The tests hand a result on to the next call: what cannot be handed on must not make the row look unusable.
TEST(Code, NoResultMakesARowUnusable) {
  const std::string round =
      R"({"entry_point": "f", "prompt": "", "test": "def check(f):\n    for k in [1, 2]:\n        assert f(f(k)) == k\n"})";
  const std::string raw =
      "import os, struct\ndef frame(body): return struct.pack('<Q', len(body)) + body\n"
      "def put(body): os.write(4, frame(b'l' + struct.pack('<Q', 2) + body + b'N')); os.read(4, 1 << 16)\n";
  expect({{"ok", python("def f(x): return -x\n"), round},
          {"wrong", python("def f(x): return 1 << 10**5\n"), round},
          {"runtime_error", python("def f(x): return 1 << 10**7\n"), round},
          {"runtime_error", python("def f(x):\n    for _ in range(200): x = [x]\n    return x\n"), round},
          {"runtime_error", python("def f(x): return 'x' * (9 << 20)\n"), round},
          {"runtime_error",
           python(raw + "def f(x): put(b'i' + struct.pack('<Q', 1 << 20) + b'f' * (1 << 20))\n"), round},
          {"runtime_error", python(raw + "def f(x): put(b'N' * 7)\n"), round}});
}

// Tests whose form hides the function under test: they judge what they mean, and nothing that they expect is told.
TEST(Code, FormsOfAsserts) {
  const auto check = [](const std::string& text) {
    return R"({"entry_point": "f", "prompt": "", "test": )" + quote(text) + "}";
  };
  const std::string more = python("def f(x): return x + 1\n");
  const std::string close =
      R"x({"test_setup_code": "from math import isclose", "test_list": ["assert isclose(f(1), 41972)"]})x";
  const std::string looks =
      "import os\ndef f(x):\n    told = b''\n    for fd in range(3, 64):\n        try: told += os.pread(fd, "
      "1 "
      "<< 20, 0)\n        except OSError: pass\n    return 41971 + 1 if b'%d' % (41971 + 1) in told else 0\n";
  expect({{"ok", more, check("def check(g):\n    assert g(1) == 2\n")},
          {"ok", more, check("def check(candidate):\n    assert candidate(candidate(1)) == 3\n")},
          {"ok", more, check("X = 1\ndef check(candidate):\n    assert candidate(X) == 2\n")},
          {"ok", more,
           check("from operator import *\ndef check(candidate):\n    assert candidate(add(1, 1)) == 3\n")},
          {"wrong", python("def f(x): return x\n"), check("X = 1\ndef check(g):\n    assert g(X) == 2\n")},
          {"ok", python("def f(x): return 41972.0\n"), close},
          {"wrong", python(looks), close},
          {"runtime_error", python("def f(x): return None\n"),
           R"({"test_setup_code": "y = f(1) + 1", "test_list": ["assert f(y) == 3 and True"]})"}});
}

const std::string kCpp = "{\"declaration\": " +
                         quote("#include <vector>\nusing namespace std;\nint total(vector<int> values){\n") +
                         ", \"test\": " +
                         quote(
                             "#undef NDEBUG\n#include <assert.h>\nint main() { assert(total({1, 2}) == 3); "
                             "assert(total({}) == 0); }\n") +
                         "}";

TEST(Code, CppFunctions) {
  expect({{"ok", "    int s = 0;\n    for (int v : values) s += v;\n    return s;\n}\n", kCpp},
          {"ok",
           cpp("struct set { int s = 0; };\nint total(vector<int> values) { set a; for (int v : values) a.s "
               "+= v; "
               "return a.s; }\nint main() { return total({}); }\n"),
           kCpp},
          {"wrong", "    return 3;\n}\n#define assert(x)\n", kCpp},
          {"runtime_error", "    return 3;\n}\nstruct S { S() { _Exit(0); } } s;\n", kCpp},
          {"compile_error", "    return values[0] +;\n}\n", kCpp}});
}

TEST(Code, ARowThatCanJudgeNothingDoesNotApplyWhateverTheCompletion) {
  const std::string broken[] = {
      "{}",
      R"({"tests": {"inputs": ["1"], "outputs": []}})",
      R"({"tests": {"inputs": [["1"]], "outputs": ["1"]}})",
      R"({"test_list": []})",
      R"({"test_list": ["assert f(1 == 2"]})",
      R"({"test_list": ["assert f(1) == 2"], "test_setup_code": "x = ("})",
      R"({"test_list": ["assert f(1) == 2"], "test_setup_code": "x = 1 / 0"})",
      R"({"test_list": ["import no_such_module\nassert f(1) == 2"]})",
      R"({"test": "def check(f):\n    assert f(1) == 2", "prompt": "def f(x):\n"})",
      R"({"test": "def chek(f):\n    assert f(1) == 2", "prompt": "def f(x):\n", "entry_point": "f"})",
      R"({"test": "int main() { assert(f(1) == 2; }", "declaration": "#include <assert.h>\nint f(int x) {\n"})",
      R"({"test": "int main() {}", "declaration": "int x;\n"})",
      R"({"language": "cobol", "tests": [{"input": "", "output": ""}]})"};
  for (const char* completion : {"", "def f(x):\n    return 2\n"}) {
    std::vector<Row> rows;
    for (const std::string& meta : broken) rows.push_back({completion, meta, ""});
    const auto verdicts = judge_rows(usual(), rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(verdicts[i].status, TENON_R_NOT_APPLICABLE) << rows[i].meta << "\n" << verdicts[i].why;
      EXPECT_FALSE(verdicts[i].why.empty());
    }
  }
}

TEST(Code, WhatTheTestsThemselvesLackIsNoSolutionsFault) {
  const auto verdicts = judge_rows(
      usual(), {{"def f(x): return x", R"({"test_list": ["if f(1): import no_such_module"]})", ""},
                {"def f(x): import no_such_module", R"({"test_list": ["assert f(1) == 2 and True"]})", ""}});
  EXPECT_EQ(verdicts[0].status, TENON_R_NOT_APPLICABLE) << verdicts[0].why;
  EXPECT_EQ(name_of(verdicts[1]), "runtime_error");
}

TEST(Code, SharesAndValues) {
  const auto reward = make({{"credit", "\"share\""}, {"right", "2"}, {"wrong", "-1"}});
  const auto verdicts =
      judge_rows(*reward, {{"print(3)", kSum, ""}, {"print(0)", kSum, ""}, {kSumCode, kSum, ""}});
  EXPECT_EQ(verdicts[0].reward, 0.5);
  EXPECT_EQ(verdicts[1].reward, -1);
  EXPECT_EQ(verdicts[2].reward, 2);
  EXPECT_EQ(verdicts[0].notes.at("passed"), 0.5);
}

// Languages by commands. The programs of one have this process's number in their command line.
const Reward& with_commands() {
  static const std::string commands =
      R"([{"name": "sh", "file": "a.sh", "run": "sh a.sh"},
          {"name": "c", "file": "a.c", "build": "gcc a.c -o a", "keep": "a", "run": "./a"},
          {"name": "Snake", "file": "a.py", "run": "python3 -S a.py"},
          {"name": "victim", "file": "a.sh", "run": "sh a.sh victim-)" +
      std::to_string(getpid()) + R"(; exit $?"}])";
  static const std::unique_ptr<Reward> reward = make({{"commands", commands}, {"wall_time", "\"1s\""}});
  return *reward;
}
std::string sum_in(const std::string& language) {
  return R"({"tests": [{"input": "1 2", "output": "3"}], "language": ")" + language + "\"}";
}

TEST(Code, OtherLanguagesByCommands) {
  const std::string py = "import os, socket, subprocess\n", print = "print(sum(map(int, input().split())))\n";
  expect({{"ok", "```sh\nread a b; echo $((a + b))\n```\n", sum_in("sh")},
          {"ok", "#include <stdio.h>\nint main() { puts(\"3\"); }\n", sum_in("c")},
          {"compile_error", "int main() { return x; }\n", sum_in("c")},
          {"ok", "read a b; test -e f || echo $((a + b)) > f; cat f; rm f a.sh; mkdir d; echo > d/f\n",
           sum_in("sh")},
          {"ok", "read a b; (sleep 60 &); echo $(expr $a + $b) | cat\n", sum_in("sh")},
          {"ok", py + "assert subprocess.run(['true']).returncode == 0\n" + print, sum_in("snake")},
          {"ok",
           "import ctypes, fcntl, os\nfcntl.ioctl(0, 0x5451)\nfcntl.ioctl(0, 0x5421, b'\\0' * 4)\nassert not "
           "os.isatty(0)\nctypes.CDLL(None).pkey_alloc(0, 0)\n" +
               print,
           sum_in("snake")},
          {"runtime_error", py + print + "socket.socket()\n", sum_in("snake")},
          {"runtime_error", py + print + "os.kill(os.getppid(), 9)\n", sum_in("snake")},
          {"runtime_error", py + print + "open('/usr/f', 'w')\n", sum_in("snake")},
          {"runtime_error", py + print + "open('/etc/passwd')\n", sum_in("snake")},
          {"memory", "x = bytearray(2 << 30)\n", sum_in("snake")},
          {"time", "sleep 60\n", sum_in("sh")},
          {"output_limit", "yes\n", sum_in("sh")}},
         with_commands());
}

// Kills the first `most` processes whose command line has `part` in it, as the kernel does where memory is short.
void kill_by_command_line(const std::string& part, int most, const std::atomic<bool>& is_over) {
  std::set<pid_t> killed;
  while (!is_over && killed.size() < static_cast<size_t>(most)) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream in(entry.path() / "cmdline");
      std::string line;
      std::getline(in, line);
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      // The shell that starts it has the words in its own line.
      if (pid > 0 && line.starts_with(std::string("sh\0a.sh", 7)) && line.find(part) != std::string::npos &&
          killed.insert(pid).second)
        kill(pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

TEST(Code, AProgramThatSomebodyElsesShortageKillsIsTriedAgain) {
  for (int kills : {1, 2}) {  // in the second try as well: then it is tried alone
    std::atomic<bool> is_over{false};
    std::jthread killer([&] { kill_by_command_line("victim-" + std::to_string(getpid()), kills, is_over); });
    const auto verdicts =
        judge_rows(with_commands(), {{"read a b; sleep 0.2; echo $((a + b))\n", sum_in("victim"), ""}});
    is_over = true;
    EXPECT_EQ(name_of(verdicts[0]), "ok") << verdicts[0].why;
  }
}

// Kills the processes whose parent is this one: the boxes.
void kill_children() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    std::getline(stat, text);  // of a process that goes meanwhile: nothing
    const size_t at = text.rfind(')');
    if (at != std::string::npos && std::atoi(text.c_str() + at + 4) == getpid())
      kill(std::atoi(entry.path().filename().c_str()), SIGKILL);
  }
}

TEST(Code, ABoxThatIsKilledIsReplaced) {
  EXPECT_EQ(name_of(judge_rows(usual(), {{kSumCode, kSum, ""}})[0]), "ok");
  kill_children();
  EXPECT_EQ(name_of(judge_rows(usual(), {{kSumCode, kSum, ""}})[0]), "ok");
}

TEST(Code, WhatTheJudgeIsShortOfIsNoSolutionsFault) {
  EXPECT_EQ(name_of(judge_rows(usual(), {{kSumCode, kSum, ""}})[0]), "ok");
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit few = old;
  few.rlim_cur = 0;  // no descriptor can be had
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto short_of = judge_rows(usual(), {{kSumCode, kSum, ""}, {"print(0)", kSum, ""}});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  for (const Verdict& v : short_of) {
    EXPECT_EQ(v.status, TENON_R_CRASHED) << v.why;
    EXPECT_TRUE(v.why.starts_with("sandbox_error: ")) << v.why;
  }
  EXPECT_EQ(name_of(judge_rows(usual(), {{kSumCode, kSum, ""}})[0]), "ok") << "once there are some again";
}

TEST(Code, ACommandsNameIsItsOwn) {
  for (const char* name : {"python", "Py", "python3", "cpp", "C++"}) {
    const auto found = tenon::testing::findings_of(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
        {{"commands", R"([{"name": ")" + std::string(name) + R"(", "file": "a", "run": "a"}])"}});
    ASSERT_EQ(found.size(), 1u) << name;
    EXPECT_NE(found[0].find("is built in"), std::string::npos) << found[0];
  }
}

TEST(Code, WhatIsMissingIsNamed) {
  EXPECT_THROW(make({{"python", "\"/no/such/python\""}}), tenon::Error);
  EXPECT_THROW(make({{"compiler", "\"no-such-compiler\""}}), tenon::Error);
  const auto python_alone = make({{"compiler", "\"no-such-compiler\""}, {"language", "\"python\""}});
  const auto verdicts =
      judge_rows(*python_alone, {{kSumCode, kSum, ""}, {"", kCpp, ""}, {"int x;", kCpp, ""}});
  EXPECT_EQ(name_of(verdicts[0]), "ok");
  EXPECT_EQ(verdicts[1].status, TENON_R_NOT_APPLICABLE) << verdicts[1].why;
  EXPECT_EQ(verdicts[2].status, TENON_R_NOT_APPLICABLE) << verdicts[2].why;
}

// What creating it with those options says; empty: it was created.
std::string why_not(std::map<std::string, std::string> options) {
  try {
    make(std::move(options));
    return "";
  } catch (const tenon::Error& e) {
    return e.what();
  }
}

TEST(Code, ACompilerThatIsNoneOrFlagsThatItRefusesAreNamedAtTheStart) {
  for (const auto& [option, value] : {std::pair{"flags", R"(["-nosuchflag"])"},
                                      {"flags", R"(["-std=c++99"])"},
                                      {"flags", R"(["-c"])"},
                                      {"compiler", "\"/bin/true\""}}) {
    EXPECT_EQ(why_not({{option, value}}).find(std::string("option ") + option + ":"), 0u) << option << value;
  }
  EXPECT_NE(why_not({{"flags", R"(["-nosuchflag"])"}, {"language", "\"python\""}}), "") << "the user gave it";
}

TEST(Code, FlagsThatAreTooOldForFunctionsAreNoSolutionsFault) {
  const auto reward = make({{"flags", R"(["-std=c++11"])"}});
  const auto v =
      judge_rows(*reward, {{"    return 0;\n}\n", kCpp, ""},
                           {cpp("#include <cstdio>\nint main() { puts(\"3\"); }\n"), sum_in("cpp"), ""}});
  EXPECT_EQ(v[0].status, TENON_R_NOT_APPLICABLE) << v[0].why;
  EXPECT_NE(v[0].why.find("option flags"), std::string::npos) << v[0].why;
  EXPECT_EQ(name_of(v[1]), "ok");
}

std::string command(const std::string& run) {
  return R"([{"name": "x", "file": "a", "run": )" + quote(run) + "}]";
}

TEST(Code, ACommandThatCannotRunInTheSandboxIsNamedAtTheStart) {
  for (const std::string run : {"perl -e 'syscall(5000)' a", "perl -e 'syscall(5000)' a; exit $?"}) {
    const std::string why = why_not({{"commands", command(run)}});
    EXPECT_EQ(why.find("option commands.0.run: "), 0u) << why;
    EXPECT_NE(why.find("system-call filter"), std::string::npos) << why;
  }
  EXPECT_EQ(why_not({{"commands", command("no-such-program a")}}).find("option commands.0.run: "), 0u);
  EXPECT_EQ(
      why_not({{"commands",
                R"([{"name": "x", "file": "a", "build": "no-such-compiler a", "keep": "b", "run": "./b"}])"}})
          .find("option commands.0.build: "),
      0u);
}

TEST(Code, AForbiddenSystemCallIsTheSolutionsOwnOnceTheLanguageIsKnownToWork) {
  const auto reward =
      make({{"commands",
             R"([{"name": "c", "file": "a.c", "build": "gcc a.c -o a", "keep": "a", "run": "./a"}])"}});
  const std::string call = "#include <unistd.h>\nint main() { syscall(5000); }\n";
  const Row forbidden{call, sum_in("c"), ""},
      honest{"#include <stdio.h>\nint main() { puts(\"3\"); }\n", sum_in("c"), ""};
  const auto first = judge_rows(*reward, {forbidden});
  EXPECT_EQ(first[0].status, TENON_R_CRASHED) << first[0].why;
  EXPECT_EQ(name_of(judge_rows(*reward, {honest})[0]), "ok");
  EXPECT_EQ(name_of(judge_rows(*reward, {forbidden})[0]), "runtime_error");
}

TEST(Code, ALanguageThatNobodyHasIsRefused) {
  const auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  const auto found = tenon::testing::findings_of(component, {{"language", "\"rust\""}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].find("language: "), 0u) << found[0];
  EXPECT_EQ(
      tenon::testing::findings_of(component, {{"language", "\"X\""}, {"commands", command("sh a")}}).size(),
      0u);
}

// What a compiler could not do in time is no fault of the compiler, and is not remembered as one.
TEST(Code, ALateCompilerIsNoDefect) {
  const auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  try {
    const tenon::testing::Instance<tenon_reward_vt> reward(
        component, std::map<std::string, std::string>{{"language", "\"cpp\""}, {"build_time", "\"0.01s\""}});
    ADD_FAILURE() << "g++ compiled in 10 ms";
  } catch (const std::exception& e) {
    const std::string why = e.what();
    EXPECT_NE(why.find("build_time"), std::string::npos) << why;
    EXPECT_EQ(why.find("option compiler"), std::string::npos) << why;
    EXPECT_EQ(why.find("does not compile"), std::string::npos) << why;
  }
  const tenon::testing::Instance<tenon_reward_vt> reward(
      component, std::map<std::string, std::string>{{"language", "\"python\""}, {"build_time", "\"0.01s\""}});
  for (int twice = 0; twice < 2; ++twice) {
    const auto v = tenon::testing::judge(reward, "```cpp\nint main() {}\n```",
                                         R"({"language":"cpp","tests":{"inputs":[""],"outputs":[""]}})");
    EXPECT_EQ(v.status, TENON_R_CRASHED) << v.why;
    EXPECT_NE(v.why.find("build_time"), std::string::npos) << v.why;
  }
}

TEST(Code, LimitsOfNothingAreOutOfRange) {
  const auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  size_t bounded = 0;
  for (const tenon_option* const* o = component->options; *o != nullptr; ++o)
    for (const std::string name : {"time", "wall_time", "build_time", "memory", "output"})
      if (name == (*o)->name) {
        ++bounded;
        EXPECT_NE((*o)->min_json, nullptr) << name;
      }
  EXPECT_EQ(bounded, 5u);
}

}  // namespace
