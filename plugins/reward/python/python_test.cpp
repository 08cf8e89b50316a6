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
using tenon::python::Outcome;
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
    if (std::system("python3 -c pass") != 0) missing_ = true;
    std::string name = (fs::temp_directory_path() / "tenon-python-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~PythonReward() override { fs::remove_all(dir_); }
  void SetUp() override {
    if (missing_) GTEST_SKIP() << "there is no python3";
  }
  std::string write(const std::string& text) const {
    std::ofstream(dir_ / "rewards.py") << text;
    return (dir_ / "rewards.py").string();
  }
  std::string start_error(const std::string& text, const std::string& function = "reward") const {
    Worker worker("python3", write(text), function);
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
  bool missing_ = false;
};

TEST_F(PythonReward, HasTrlsSignature) {
  Worker worker("python3", write(R"(
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
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(out[i].status, TENON_R_OK) << out[i].reason;
  EXPECT_EQ(out[0].reward, 1);
  EXPECT_EQ(out[1].reward, 2) << "characters";
  EXPECT_EQ(out[2].reward, 0);
}

TEST_F(PythonReward, TakesOnlyTheColumnsThatItNames) {
  Worker worker("python3", write("def reward(completions):\n  return [1.5 for c in completions]\n"),
                "reward");
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 1.5);
}

TEST_F(PythonReward, MayBeAsynchronous) {
  Worker worker("python3", write(R"(
import asyncio
async def reward(completions, **kwargs):
    async def one(c):
        await asyncio.sleep(0)
        return len(c)
    return await asyncio.gather(*[one(c) for c in completions])
)"),
                "reward");
  const auto out = worker.score(samples({"a", "bcd"}), seconds(20));
  EXPECT_EQ(out[1].reward, 3) << out[1].reason;
}

TEST_F(PythonReward, NoneNanAndTextHaveTheirOutcome) {
  Worker worker("python3",
                write("def reward(completions, **k):\n  return [None, float('nan'), 'high', True]\n"),
                "reward");
  const auto out = worker.score(samples({"a", "b", "c", "d"}), seconds(20));
  EXPECT_EQ(out[0].status, TENON_R_NOT_APPLICABLE);
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_THAT(out[1].reason, HasSubstr("nan, not a finite number"));
  EXPECT_THAT(out[2].reason, HasSubstr("'high', not a number"));
  EXPECT_EQ(out[3].status, TENON_R_OK);
  EXPECT_EQ(out[3].reward, 1);
}

TEST_F(PythonReward, AnExceptionCostsItsOwnSampleAndNamesTheLine) {
  Worker worker("python3", write(R"(def reward(completions, **k):
    print("this is not an answer")
    return [1 / len(c) for c in completions]
)"),
                "reward");
  const auto out = worker.score(samples({"a", "", "ab"}), seconds(20));
  EXPECT_EQ(out[0].reward, 1);
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_THAT(out[1].reason, HasSubstr("rewards.py:3: ZeroDivisionError"));
  EXPECT_EQ(out[2].reward, 0.5);
  Worker wrong("python3", write("def reward(completions, **k):\n  return [1]\n"), "reward");
  const auto counted = wrong.score(samples({"a", "b"}), seconds(20));
  EXPECT_EQ(counted[1].reward, 1) << "one at a time it is right";
}

TEST_F(PythonReward, AHangIsKilledWithWhatItStarted) {
  const std::string mark = (dir_ / "child").string();
  Worker worker("python3", write(R"(
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
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    if (text.find(") Z ") != std::string::npos) break;
    ::usleep(10000);
    ASSERT_LT(i, 199) << "its child lives on";
  }
  EXPECT_EQ(worker.score(samples({"a"}), seconds(20))[0].reward, 7) << "it is started again";
}

TEST_F(PythonReward, ADeathIsACrashWithItsCause) {
  Worker worker("python3", write(R"(
import os
def reward(completions, **k):
    if completions[0] == "exit": os._exit(3)
    if completions[0] == "kill": os.kill(os.getpid(), 9)
    if completions[0] == "leave": raise SystemExit(4)
    return [1 for c in completions]
)"),
                "reward");
  EXPECT_THAT(worker.score(samples({"exit"}), seconds(20))[0].reason, HasSubstr("exit code 3"));
  EXPECT_THAT(worker.score(samples({"kill"}), seconds(20))[0].reason, HasSubstr("signal 9"));
  const auto left = worker.score(samples({"leave"}), seconds(20));
  EXPECT_EQ(left[0].status, TENON_R_CRASHED);
  EXPECT_THAT(left[0].reason, HasSubstr("SystemExit: 4"));
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
  Worker worker("python3", write("def reward(completions, **k): return [len(c) for c in completions]\n"),
                "reward");
  for (const size_t n : {1u, 300u, 2u})
    for (const size_t bytes : {1u, 20000u}) {
      const std::vector<std::string> texts(n, std::string(bytes, 'x'));
      for (const Outcome& o : worker.score(samples(texts), seconds(30)))
        EXPECT_EQ(o.reward, static_cast<double>(bytes)) << o.reason;
    }
}

TEST_F(PythonReward, AsAPlugin) {
  const std::string file = write(
      "def fn(completions, answer, **k): return [float(a in c) for c, a in zip(completions, answer)]\n");
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), {{"file", "\"" + file + ":fn\""}});
  EXPECT_EQ(tenon::testing::judge(reward, "it is 42", R"({"answer": "42"})").reward, 1);
  EXPECT_EQ(tenon::testing::judge(reward, "it is 41", R"({"answer": "42"})").reward, 0);
}

}  // namespace
