// Tests of the reward python: TRL's signature, outcomes, crashes and hangs that cost their own samples only.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"
#include "worker.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Error;
using tenon::RewardOutcome;
using tenon::python::Format;
using tenon::python::SampleText;
using tenon::python::Worker;
namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class PythonReward : public testing::Test {
 protected:
  PythonReward() {
    std::string name = (fs::temp_directory_path() / "tenon-python-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~PythonReward() override { fs::remove_all(dir_); }
  void SetUp() override {
    if (interpreter().empty()) GTEST_SKIP() << "there is no python3";
  }
  // The interpreter itself: "python3" may be a script that looks for it, and takes its time.
  static const std::string& interpreter() {
    static const std::string path = [] {
      std::string out;
      FILE* pipe = ::popen("python3 -c 'import sys; print(sys.executable, end=\"\")' 2>/dev/null", "r");
      for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
      if (pipe != nullptr) ::pclose(pipe);
      return out;
    }();
    return path;
  }
  std::string write(const std::string& text) const {
    std::ofstream(dir_ / "rewards.py") << text;
    return (dir_ / "rewards.py").string();
  }
  std::string start_error(const std::string& text, const std::string& function = "reward") const {
    Worker worker(interpreter(), write(text), function);
    try {
      worker.start(seconds(20));
    } catch (const Error& e) {
      return e.what();
    }
    return "it started";
  }
  static std::vector<SampleText> samples(const std::vector<std::string>& completions) {
    std::vector<SampleText> out;
    for (const std::string& c : completions) out.push_back({"prompt", c, R"({"answer": "4", "n": 3})", {}});
    return out;
  }

  fs::path dir_;
};

TEST_F(PythonReward, HasTrlsSignature) {
  Worker worker(interpreter(), write(R"(
import json
def reward(prompts, completions, answer, n, completion_ids=None, **kwargs):
    assert prompts == ["prompt"] * 3 and n == [3] * 3 and not kwargs
    assert completion_ids == [[1, 2], [], [3]], completion_ids
    return [len(c) if a == "4" else -1 for c, a in zip(completions, answer)]
)"),
                "reward");
  const std::vector<int32_t> ids{1, 2, 3};
  const std::vector<std::string> texts{"a", "äö", ""};
  std::vector<SampleText> in = samples(texts);
  in[0].tokens = std::span(ids).first(2), in[2].tokens = std::span(ids).last(1);
  const auto out = worker.score(in, seconds(20));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(out[i].status, TENON_R_OK) << out[i].why;
  EXPECT_EQ(out[0].reward, 1);
  EXPECT_EQ(out[1].reward, 2) << "characters";
  EXPECT_EQ(out[2].reward, 0);
}

TEST_F(PythonReward, TakesOnlyTheColumnsThatItNames) {
  Worker worker(interpreter(), write("def reward(completions):\n  return [1.5 for c in completions]\n"),
                "reward");
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 1.5);
}

TEST_F(PythonReward, MayBeAsynchronous) {
  Worker worker(interpreter(), write(R"(
import asyncio
async def reward(completions, **kwargs):
    async def one(c):
        await asyncio.sleep(0)
        return len(c)
    return await asyncio.gather(*[one(c) for c in completions])
)"),
                "reward");
  const auto out = worker.score(samples({"a", "bcd"}), seconds(20));
  EXPECT_EQ(out[1].reward, 3) << out[1].why;
}

TEST_F(PythonReward, NoneNanAndTextHaveTheirOutcome) {
  Worker worker("python3",
                write("def reward(completions, **k):\n  return [None, float('nan'), 'high', True]\n"),
                "reward");
  const auto out = worker.score(samples({"a", "b", "c", "d"}), seconds(20));
  EXPECT_EQ(out[0].status, TENON_R_NOT_APPLICABLE);
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_THAT(out[1].why, HasSubstr("nan, not a finite number"));
  EXPECT_THAT(out[2].why, HasSubstr("'high', not a number"));
  EXPECT_EQ(out[3].status, TENON_R_OK);
  EXPECT_EQ(out[3].reward, 1);
}

TEST_F(PythonReward, AnExceptionCostsItsOwnSampleAndNamesTheLine) {
  Worker worker(interpreter(), write(R"(def reward(completions, **k):
    print("this is not an answer")
    return [1 / len(c) for c in completions]
)"),
                "reward");
  const auto out = worker.score(samples({"a", "", "ab"}), seconds(20));
  EXPECT_EQ(out[0].reward, 1);
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_THAT(out[1].why, HasSubstr("rewards.py:3: ZeroDivisionError"));
  EXPECT_EQ(out[2].reward, 0.5);
}

TEST_F(PythonReward, AHangIsKilledWithWhatItStarted) {
  const std::string mark = (dir_ / "child").string();
  Worker worker(interpreter(), write(R"(
import subprocess, signal
def reward(completions, **k):
    if completions[0] == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "1000"])
        open(")" + mark + R"(", "w").write(str(child.pid))
        while True: pass
    return [7 for c in completions]
)"),
                "reward");
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 7);
  const auto late = worker.score(samples({"hang", "b"}), milliseconds(700));
  EXPECT_EQ(late[0].status, TENON_R_TIMED_OUT);
  EXPECT_EQ(late[1].status, TENON_R_TIMED_OUT) << "of the same call";
  EXPECT_FALSE(worker.is_running());
  int pid = 0;
  std::ifstream(mark) >> pid;
  ASSERT_GT(pid, 0);
  for (int i = 0; i < 200 && ::kill(pid, 0) == 0; ++i) {  // a zombie until init has it
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);  // of a process that goes meanwhile: nothing
    if (text.find(") Z ") != std::string::npos) break;
    ::usleep(10000);
    ASSERT_LT(i, 199) << "its child lives on";
  }
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 7) << "it is started again";
}

TEST_F(PythonReward, ADeathIsACrashWithItsCauseAndCostsItsOwnSample) {
  Worker worker(interpreter(), write(R"(
import os, sys
def reward(completions, **k):
    for c in completions:
        if c == "exit": os._exit(3)
        if c == "kill": os.kill(os.getpid(), 9)
        if c == "leave": sys.exit(4)
    return [1 for c in completions]
)"),
                "reward");
  const auto out = worker.score(samples({"a", "exit", "b", "kill", "leave", "c"}), seconds(20));
  for (size_t i : {0u, 2u, 5u}) EXPECT_EQ(out[i].status, TENON_R_OK) << out[i].why;
  for (size_t i : {1u, 3u, 4u}) EXPECT_EQ(out[i].status, TENON_R_CRASHED);
  EXPECT_THAT(out[1].why, HasSubstr("exit code 3"));
  EXPECT_THAT(out[3].why, HasSubstr("signal 9"));
  EXPECT_THAT(out[4].why, HasSubstr("SystemExit: 4"));
}

TEST_F(PythonReward, AWorkerKilledBetweenCallsCostsNothing) {
  Worker worker(interpreter(), write("import os\ndef reward(completions, **k): return [os.getpid()]\n"),
                "reward");
  const auto first = worker.score(samples({"a"}), seconds(20));
  ASSERT_EQ(first[0].status, TENON_R_OK) << first[0].why;
  ASSERT_EQ(::kill(static_cast<pid_t>(first[0].reward), SIGKILL), 0);
  ::usleep(50000);
  const auto second = worker.score(samples({"a"}), seconds(20));
  EXPECT_EQ(second[0].status, TENON_R_OK) << second[0].why;
  EXPECT_NE(second[0].reward, first[0].reward);
}

// What a function leaves behind, breaks or writes to is its own: calls after it are answered rightly.
TEST_F(PythonReward, ProcessesAndDescriptorsOfTheFunction) {
  Worker worker(interpreter(), write(R"(
import os, time
def reward(completions, **k):
    c = completions[0]
    if c == "forked child returns" and os.fork() == 0: return [5]
    if c == "forked child holds the pipe":
        if os.fork() == 0: time.sleep(1000)
        os._exit(3)
    if c == "answers by itself": os.write(4, b'{"nonsense": 1}\n')
    if c == "closes": os.closerange(3, 10); time.sleep(1000)
    if c == "input": return [len(os.read(0, 10))]
    if c == "output": return [os.stat(1) == os.stat(2)]
    return [1]
)"),
                "reward");
  const auto of = [&](const char* what) { return worker.score(samples({what}), seconds(20))[0]; };
  EXPECT_EQ(of("forked child returns").reward, 1);
  EXPECT_EQ(of("next").reward, 1);
  EXPECT_THAT(of("forked child holds the pipe").why, HasSubstr("exit code 3"));
  EXPECT_EQ(of("next").reward, 1);
  EXPECT_THAT(of("answers by itself").why, HasSubstr("cannot be read"));
  EXPECT_EQ(of("next").reward, 1);
  EXPECT_THAT(of("closes").why, HasSubstr("closed its descriptors"));
  EXPECT_EQ(of("input").reward, 0) << "the host's input is not read";
  EXPECT_EQ(of("output").reward, 1) << "print does not mix with the host's output";
}

TEST_F(PythonReward, WhatItReturnsIsOneNumberForEachCompletion) {
  Worker worker(interpreter(), write(R"(
class Scalar:
    def __float__(self): return 0.25
class Array:
    ndim = 1
    def __iter__(self): return iter([Scalar(), Scalar()])
class Zero:
    ndim = 0
    def __iter__(self): raise TypeError("of nothing")
class Rude:
    def __repr__(self): raise ValueError("no")
def reward(completions, **k):
    return {"array": Array(), "short": [1], "number": 1.0, "none": None, "text": "11", "dict": {1: 2, 3: 4}, "zero": Zero(),
            "strings": ["1", "2"], "rude": [Rude(), 1], "generator": (x for x in [1, 2])}[completions[0]]
)"),
                "reward");
  const auto of = [&](const char* what) { return worker.score(samples({what, "b"}), seconds(20)); };
  EXPECT_EQ(of("array")[1].reward, 0.25) << "as of NumPy and PyTorch";
  EXPECT_EQ(of("generator")[1].reward, 2);
  EXPECT_THAT(of("short")[0].why, HasSubstr("reward returned 1 rewards for 2 completions"));
  for (const char* what : {"number", "none", "text", "dict", "zero"}) {
    EXPECT_EQ(of(what)[1].status, TENON_R_CRASHED) << what;
    EXPECT_THAT(of(what)[1].why, HasSubstr("not a list with one number for each completion")) << what;
  }
  EXPECT_THAT(of("strings")[0].why, HasSubstr("'1', not a number")) << "no number out of a text";
  EXPECT_THAT(of("rude")[0].why, HasSubstr("an object of type Rude, not a number"));
  EXPECT_EQ(of("rude")[1].reward, 1);
}

TEST_F(PythonReward, AColumnThatTheRowsDoNotHaveIsNamed) {
  Worker worker(interpreter(),
                write("def reward(completions, solution, n=1, **k): return [1 for c in completions]\n"),
                "reward");
  const auto out = worker.score(samples({"a", "b"}), seconds(20));
  EXPECT_EQ(out[1].status, TENON_R_REFUSED);
  EXPECT_EQ(out[1].why,
            "reward wants the column 'solution', which the rows do not have; they have: answer, n");
  EXPECT_THAT(start_error("def reward(completions, /): return []\n"),
              HasSubstr("takes completions by its place only"));
}

TEST_F(PythonReward, ConversationsAsInTrl) {
  Worker worker(interpreter(), write(R"(
def reward(prompts, completions, **k):
    assert prompts[0][-1] == {"role": "user", "content": "prompt"}, prompts
    assert "prompt" not in k
    return [len(completion[0]["content"]) + len(p) for completion, p in zip(completions, prompts)]
)"),
                "reward", Format::kMessages);
  EXPECT_EQ(worker.score(samples({"abc"}), seconds(20))[0].reward, 4);
  const std::string_view row =
      R"({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "prompt"}]})";
  const auto out = worker.score({{"rendered", "abc", row, {}}}, seconds(20));
  EXPECT_EQ(out[0].reward, 5) << out[0].why;
}

TEST_F(PythonReward, AlarmsAndOneEventLoopForAllCalls) {
  Worker worker(interpreter(), write(R"(
import asyncio, signal, time
loops = set()
async def reward(completions, **k):
    loops.add(asyncio.get_running_loop())
    def ring(*_): raise TimeoutError("too slow")
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try: time.sleep(1000)
    except TimeoutError: pass
    return [len(loops)]
)"),
                "reward");
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 1);
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 1);
}

TEST_F(PythonReward, WhatCannotStartIsNamedAtTheStart) {
  EXPECT_THAT(start_error("def reward(completions:\n  return []\n"),
              AllOf(StartsWith("file: "), HasSubstr("rewards.py:1:"), HasSubstr("SyntaxError")));
  EXPECT_THAT(start_error("import no_such_module\n"),
              HasSubstr("rewards.py:1: ModuleNotFoundError: No module named 'no_such_module'"));
  EXPECT_THAT(start_error("def good(completions): return []\n"),
              HasSubstr("has no function reward. It has: good"));
  EXPECT_THAT(start_error("import sys; sys.exit(2)\n"), HasSubstr("SystemExit: 2"));
  Worker worker("/no/such/python", "x.py", "f");
  try {
    worker.start(seconds(1));
    ADD_FAILURE() << "started";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), StartsWith("interpreter: /no/such/python cannot be started"));
  }
}

TEST_F(PythonReward, LargeBatchesGrowTheMemory) {
  Worker worker(interpreter(), write("def reward(completions, **k): return [len(c) for c in completions]\n"),
                "reward");
  for (const size_t n : {1u, 300u, 2u})
    for (const size_t bytes : {1u, 20000u}) {
      const std::vector<std::string> texts(n, std::string(bytes, 'x'));
      for (const RewardOutcome& o : worker.score(samples(texts), seconds(30)))
        EXPECT_EQ(o.reward, static_cast<double>(bytes)) << o.why;
    }
}

TEST_F(PythonReward, AsAPlugin) {
  const std::string file = write(
      "def fn(completions, answer, **k): return [float(a in c) for c, a in zip(completions, answer)]\n");
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
      {{"file", "\"" + file + ":fn\""}, {"interpreter", "\"" + interpreter() + "\""}});
  EXPECT_EQ(tenon::testing::judge(reward, "it is 42", R"({"answer": "42"})").reward, 1);
  EXPECT_EQ(tenon::testing::judge(reward, "it is 41", R"({"answer": "42"})").reward, 0);
}

TEST_F(PythonReward, PastTheDeadlineOfTheCallWhatIsJudgedStays) {
  const std::string file = write(
      "import time\n"
      "def fn(completions, **k):\n"
      "    if completions[0] == 'hang': time.sleep(3600)\n"
      "    return [2.0]\n");
  tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
      {{"file", "\"" + file + ":fn\""}, {"interpreter", "\"" + interpreter() + "\""}, {"batch", "1"}});
  const auto end = std::chrono::steady_clock::now() + seconds(2);
  reward.host.cancelled = [end] { return std::chrono::steady_clock::now() >= end; };
  tenon_call call{};
  call.struct_size = sizeof call;
  call.deadline_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(end.time_since_epoch()).count();
  tenon::Ragged<char> completions, empty;
  for (const char* text : {"quick", "hang", "late"})
    completions.push(std::string_view(text)), empty.push(std::string_view());
  const uint64_t id[3] = {0, 1, 2};
  double value[3] = {};
  int32_t status[3] = {};
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = 3;
  in.sample_id = in.group_id = id;
  in.prompt = in.meta_json = empty.raw(), in.completion = completions.raw();
  tenon_reward_out out{};
  out.struct_size = sizeof out;
  out.reward = value, out.status = status;
  tenon::ErrorBuffer err;
  err.check(reward.vt->score(reward.self, &call, &in, &out, err));
  EXPECT_EQ(status[0], TENON_R_OK);
  EXPECT_EQ(value[0], 2);
  EXPECT_EQ(status[1], TENON_R_TIMED_OUT);
  EXPECT_EQ(status[2], TENON_R_TIMED_OUT);
}

}  // namespace
