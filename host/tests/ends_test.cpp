// How a run may end other than by finishing: half the work, exit in a plugin, crashes, signals; and what is kept then.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "host/files.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;  // 128 + signal if a signal ended it
  std::string out, err;
};

class Ends : public testing::Test {
 protected:
  Ends() {
    std::string name = (fs::temp_directory_path() / "tenon-ends-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Ends() override { fs::remove_all(dir_); }

  // A configuration of one stage.
  void write(const std::string& stage_options, const std::string& run_options = "",
             const std::string& file = "c.yaml") const {
    std::ofstream(dir_ / file) << "run: {name: x" << run_options
                               << "}\nplugins: [" TENON_UNRULY_PLUGIN
                                  "]\nsinks: []\npipeline:\n- {name: zero, use: unruly"
                               << stage_options << "}\n";
  }
  // In the folder dir_.
  pid_t start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), TENON_PROGRAM);
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    auto redirect = [&](const char* name, int to) {
      ::dup2(::open((dir_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), to);
    };
    redirect("out.txt", STDOUT_FILENO);
    redirect("err.txt", STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    if (::chdir(dir_.c_str()) == 0) ::execv(TENON_PROGRAM, argv.data());
    ::_exit(127);
  }
  Outcome wait(pid_t pid) const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(dir_ / "out.txt"),
            read_file(dir_ / "err.txt")};
  }
  Outcome tenon(std::vector<std::string> arguments) const { return wait(start(std::move(arguments))); }
  Outcome run() const { return tenon({"run", "c.yaml"}); }
  fs::path stage() const { return fs::directory_iterator(dir_ / "runs/x/stages")->path(); }
  void await_steps(std::ptrdiff_t n) const {
    auto steps = [&] {
      const std::string text =
          fs::exists(dir_ / "runs/x/metrics.jsonl") ? read_file(dir_ / "runs/x/metrics.jsonl") : "";
      return std::count(text.begin(), text.end(), '\n');
    };
    while (steps() < n) ::usleep(1000);
  }

  fs::path dir_;
};

TEST_F(Ends, AStageThatDidPartOfItsStepsHasFailed) {
  write(", announced: 3, steps: 1");
  const Outcome part = run();
  EXPECT_EQ(part.code, 1);
  EXPECT_THAT(part.err, HasSubstr("returned without an error after 1 of the 3 steps that it announced"));
  EXPECT_FALSE(fs::exists(stage() / "done.json"));
  EXPECT_EQ(run().code, 1) << "the second time, too";
}

TEST_F(Ends, AStageThatDidNothingHasFailed) {
  write("");
  const Outcome nothing = run();
  EXPECT_EQ(nothing.code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("without having done anything"));
  EXPECT_FALSE(fs::exists(stage() / "done.json"));
}

TEST_F(Ends, ExitInAPluginIsNoSuccess) {
  write(", steps: 5, mode: exit", ", checkpoint_interval: 0");
  const Outcome none = run();
  EXPECT_EQ(none.code, 70);
  EXPECT_THAT(none.err,
              HasSubstr("a plugin ended the program with exit() in stage zero, step 2 (the first is 0)\n"
                        "there is no checkpoint of this stage yet, so it starts again with: tenon "
                        "resume runs/x\n"));
  write(", steps: 5, mode: exit, checkpoint_every: 1");
  EXPECT_THAT(run().err, HasSubstr("the checkpoint after step 2 is kept; go on with: tenon resume runs/x\n"));
  write(", steps: 5, rewards: [{use: fussy, exit: true}]");
  const Outcome reward = run();
  EXPECT_EQ(reward.code, 70);
  EXPECT_THAT(reward.err, HasSubstr("in reward fussy, stage zero, step 0"));
}

TEST_F(Ends, ExitBeforeTheRunBeginsIsNoSuccess) {
  write(", steps: 5, mode: exit-in-create");
  const Outcome outcome = run();
  EXPECT_EQ(outcome.code, 70);
  EXPECT_THAT(outcome.err, HasSubstr("a plugin ended the program with exit() in creating stage zero"));
}

TEST_F(Ends, ACrashSaysWhereItWasAndStaysACrash) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's own handler is there first, and stays";
#endif
  write(", steps: 5, mode: crash, checkpoint_every: 2");
  const Outcome outcome = run();
  EXPECT_EQ(outcome.code, 128 + SIGSEGV);
  EXPECT_THAT(outcome.err,
              HasSubstr("the program crashed (segmentation fault) in stage zero, step 2 (the first "
                        "is 0)\nthe checkpoint after step 2 is kept; go on with: tenon resume runs/x\n"));
  write(", steps: 5, mode: crash-in-check");
  const Outcome check = tenon({"check", "c.yaml"});
  EXPECT_EQ(check.code, 128 + SIGSEGV);
  EXPECT_THAT(check.err, HasSubstr("the program crashed (segmentation fault) in the check of pipeline.zero"));
}

// checkpoint_every is not given: time alone makes the checkpoints, here after every step.
TEST_F(Ends, CheckpointsByTimeChangeNothingElse) {
  write(", announced: 6, steps: 6", ", checkpoint_interval: 0");
  ASSERT_EQ(run().code, 0);
  EXPECT_THAT(read_file(dir_ / "runs/x/log.txt"), Not(HasSubstr("checkpoint after step 5")));
  const std::string metrics = read_file(dir_ / "runs/x/metrics.jsonl");
  fs::remove_all(dir_ / "runs");
  write(", announced: 6, steps: 6", ", checkpoint_interval: 0.000000001");
  ASSERT_EQ(run().code, 0);
  const std::string log = read_file(dir_ / "runs/x/log.txt");
  for (const char* step : {"1", "2", "3", "4", "5", "6"})
    EXPECT_THAT(log, HasSubstr(std::string("checkpoint after step ") + step));
  EXPECT_EQ(read_file(dir_ / "runs/x/metrics.jsonl"), metrics);
  std::vector<std::string> kept;
  for (const auto& e : fs::directory_iterator(stage() / "checkpoints")) kept.push_back(e.path().filename());
  EXPECT_THAT(kept, testing::UnorderedElementsAre("4", "5", "6"));
}

TEST_F(Ends, AKilledStageGoesOnFromItsCheckpointByTime) {
  write(", announced: 200, steps: 200, sleep_us: 10000", ", checkpoint_interval: 1ms");
  const pid_t pid = start({"run", "c.yaml"});
  await_steps(4);
  ::kill(pid, SIGKILL);
  EXPECT_EQ(wait(pid).code, 128 + SIGKILL);
  const Outcome rest = tenon({"resume", "runs/x"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(read_file(dir_ / "runs/x/log.txt"), HasSubstr("stage zero: goes on after step"));
  const std::string metrics = read_file(dir_ / "runs/x/metrics.jsonl");
  EXPECT_THAT(metrics, HasSubstr("\"step\":199,\"state\":19900"));
}

TEST_F(Ends, AClosedTerminalStopsTheRunLikeCtrlC) {
  write(", announced: 10000, steps: 10000, sleep_us: 1000");
  const pid_t pid = start({"run", "c.yaml"});
  await_steps(1);
  ::kill(pid, SIGHUP);
  const Outcome outcome = wait(pid);
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.err, HasSubstr("go on with: tenon resume runs/x"));
  EXPECT_FALSE(fs::is_empty(stage() / "checkpoints"));
}

TEST_F(Ends, ASecondCtrlCSaysWhetherThereIsACheckpoint) {
  write(", announced: 2, steps: 2, sleep_us: 20000000");
  const pid_t pid = start({"run", "c.yaml"});
  while (!fs::exists(dir_ / "runs/x/log.txt") ||
         read_file(dir_ / "runs/x/log.txt").find("stage zero begins") == std::string::npos)
    ::usleep(1000);
  ::kill(pid, SIGINT);
  while (read_file(dir_ / "err.txt").find("once more") == std::string::npos) ::usleep(1000);
  ::kill(pid, SIGINT);
  const Outcome outcome = wait(pid);
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.err, HasSubstr("ended at once; there is no checkpoint of this stage yet"));
}

// Half of all samples are refused, and there are fewer than the rate is taken over in mid-run.
TEST_F(Ends, RefusedSamplesAreToldAndTooManyFailTheStage) {
  write(", announced: 2, steps: 2, rewards: [{use: fussy}]", ", max_reward_failures: 0.05");
  const Outcome outcome = run();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("stage zero: 4 of the last 8 samples have no valid reward; "
                                           "run.max_reward_failures allows 5 %"),
                                 HasSubstr("4 times: fussy refused: it is odd (sample 1)")));
  EXPECT_EQ(read_file(dir_ / "runs/x/samples.jsonl"),
            "{\"stage\":\"zero\",\"step\":0,\"sample\":1,\"group\":1,\"prompt\":\"p\",\"completion\":\"odd\","
            "\"reward\":null,\"failure\":\"fussy refused: it is odd\",\"outcomes\":{\"fussy\":\"refused: it "
            "is odd\"}}\n")
      << "the sample that is named, which the stage did not record";
  EXPECT_FALSE(fs::exists(stage() / "done.json"));

  write(", announced: 2, steps: 2, rewards: [{use: fussy}]", ", max_reward_failures: 0.5");
  const Outcome allowed = run();
  EXPECT_EQ(allowed.code, 0) << allowed.err;
  fs::remove_all(dir_ / "runs");
  const Outcome again = run();
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err,
              HasSubstr("warning: stage zero: after step 0: 2 of the last 4 samples have no valid reward"));
  EXPECT_EQ(again.err.find("no valid reward"), again.err.rfind("no valid reward")) << "said once";
}

TEST_F(Ends, WhatChangedIsToldAndAnotherConfigurationIsRefused) {
  write(", announced: 2, steps: 2");
  ASSERT_EQ(run().code, 0);
  const std::string before = read_file(dir_ / "runs/x/metrics.jsonl");

  write(", announced: 3, steps: 3", "", "other.yaml");
  const Outcome other = tenon({"run", "other.yaml"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, AllOf(HasSubstr("runs/x is the run of another configuration, "),
                               HasSubstr("c.yaml: "), HasSubstr("pipeline.zero.announced: 2 → 3"),
                               HasSubstr("--name NAME"), HasSubstr("--new takes x-2")));
  EXPECT_EQ(read_file(dir_ / "runs/x/metrics.jsonl"), before);
  EXPECT_EQ(tenon({"run", "other.yaml", "--name", "y"}).code, 0);
  EXPECT_EQ(tenon({"run", "other.yaml", "--new"}).code, 0);

  // The same file, changed; the run was gone on with in between, which does not make it another's.
  EXPECT_EQ(tenon({"resume", "runs/x"}).code, 0);
  const Outcome changed = tenon({"run", "c.yaml", "--set", "pipeline.zero.sleep_us=1"});
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_THAT(changed.err, HasSubstr("warning: run again:\n  zero: sleep_us: 0 → 1\n"));
  // Moved, with what does not change a result.
  write(", announced: 2, steps: 2, sleep_us: 1, checkpoint_every: 1", "", "moved.yaml");
  EXPECT_THAT(tenon({"run", "moved.yaml"}).out, HasSubstr("nothing to do"));
}

}  // namespace
}  // namespace tenon::host
