// Tests of the box: what a program in it can and cannot do, what happens at each limit, and that nothing is left.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>

namespace tenon::sandbox {
namespace {

struct Ran {
  Outcome outcome;
  std::string out, err;
  int exit_code() const { return WIFEXITED(outcome.report.status) ? WEXITSTATUS(outcome.report.status) : -1; }
  int signal() const { return WIFSIGNALED(outcome.report.status) ? WTERMSIG(outcome.report.status) : 0; }
};

Ran run(Sandbox& box, std::vector<std::string> argv, std::string_view input = "",
        Policy policy = Policy::kRun, double seconds = 5, uint64_t most = 1 << 20) {
  auto [out, their_out] = make_pipe();
  auto [err, their_err] = make_pipe();
  Fd in = sealed_file(input);
  BoxJob job;
  job.policy = policy;
  job.argv = std::move(argv);
  job.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  job.limits = {1, uint64_t{1} << 30, 0, 64 << 20, 16 << 20, 0};
  Fd status = box.launch(job, {in.get(), their_out.get(), their_err.get()});
  their_out.reset();
  their_err.reset();
  Stream so{std::move(out), most, most, {}, 0}, se{std::move(err), most, most, {}, 0};
  Ran r;
  r.outcome = attend({&status}, {&so, &se}, seconds)[0];
  r.out = so.data;
  r.err = se.data;
  return r;
}

// Processes whose parent is this one.
int children() {
  int n = 0;
  DIR* all = opendir("/proc");
  while (const dirent* e = readdir(all)) {
    if (std::atoi(e->d_name) == 0) continue;
    std::ifstream stat("/proc/" + std::string(e->d_name) + "/stat");
    std::string text;
    std::getline(stat, text);  // of a process that goes meanwhile: nothing
    const size_t at = text.rfind(')');
    if (at != std::string::npos && std::atoi(text.c_str() + at + 4) == getpid()) ++n;
  }
  closedir(all);
  return n;
}

class EveryLayer : public testing::TestWithParam<Layer> {
 protected:
  void SetUp() override {
    BoxSetup setup;
    setup.strongest = setup.minimum = GetParam();
    try {
      box_ = Sandbox::start(setup);
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
  }
  void TearDown() override {
    box_.reset();
    EXPECT_EQ(children(), 0);
  }
  std::unique_ptr<Sandbox> box_;
};

TEST_P(EveryLayer, RunsAProgram) {
  const Ran r = run(*box_, {"/bin/cat"}, "hello");
  EXPECT_TRUE(r.outcome.reported);
  EXPECT_EQ(r.outcome.report.error, 0) << r.outcome.report.step;
  EXPECT_EQ(r.exit_code(), 0);
  EXPECT_EQ(r.out, "hello");
}

TEST_P(EveryLayer, ReportsAProgramThatIsNotThere) {
  EXPECT_EQ(run(*box_, {"/usr/bin/no-such-program"}).outcome.report.error, ENOENT);
}

TEST_P(EveryLayer, RefusesWhatARunMayNot) {
  EXPECT_NE(run(*box_, {"/bin/sh", "-c", "echo x > /tmp/tenon-test-file"}).exit_code(), 0);
  EXPECT_NE(run(*box_, {"/bin/sh", "-c", "/bin/ls; /bin/ls"}).exit_code(), 0) << "no new process";
  EXPECT_NE(access("/tmp/tenon-test-file", F_OK), 0);
  if (GetParam() != Layer::kSeccomp) {
    EXPECT_NE(run(*box_, {"/bin/cat", "/etc/passwd"}).exit_code(), 0);
  }
}

TEST_P(EveryLayer, ABuildHasAFolderOfItsOwn) {
  const Ran r =
      run(*box_, {"/bin/sh", "-c", "echo one > f; mkdir d; cp f d/f; cat d/f; ls -A"}, "", Policy::kBuild);
  EXPECT_EQ(r.exit_code(), 0) << r.err;
  EXPECT_EQ(r.out, "one\nd\nf\n");
  EXPECT_EQ(run(*box_, {"/bin/sh", "-c", "ls -A"}, "", Policy::kBuild).out, "")
      << "nothing of the last one is there";
}

TEST_P(EveryLayer, LimitsAreKept) {
  EXPECT_TRUE(run(*box_, {"/bin/sleep", "60"}, "", Policy::kRun, 0.1).outcome.timed_out);
  EXPECT_TRUE(run(*box_, {"/usr/bin/yes"}, "", Policy::kRun, 5, 1 << 16).outcome.output_limit);
  const Ran busy = run(*box_, {"/bin/sh", "-c", "while :; do :; done"}, "", Policy::kRun, 20);
  EXPECT_EQ(busy.signal(), SIGKILL);
  EXPECT_GE(busy.outcome.report.cpu_us, 500'000u);
  EXPECT_FALSE(busy.outcome.timed_out);
}

TEST_P(EveryLayer, AKilledBuildTakesItsProcessesAlong) {
  const Ran r = run(*box_, {"/bin/sh", "-c", "trap '' TERM; (sleep 60 &) ; sleep 60 & sleep 60"}, "",
                    Policy::kBuild, 0.3);
  EXPECT_TRUE(r.outcome.timed_out);
  EXPECT_TRUE(r.outcome.reported) << "its end is known: the box did not fail";
  EXPECT_EQ(r.outcome.report.error, 0);
  const Ran left = run(*box_, {"/bin/sh", "-c", "(sleep 61 &) ; echo done"}, "", Policy::kBuild);
  EXPECT_EQ(left.out, "done\n");
  EXPECT_FALSE(left.outcome.timed_out) << "a process that stays does not hold the build up";
}

INSTANTIATE_TEST_SUITE_P(All, EveryLayer,
                         testing::Values(Layer::kUserNamespaces, Layer::kRootNamespaces, Layer::kLandlock,
                                         Layer::kSeccomp),
                         [](const auto& each) { return std::string(name_of(each.param)).substr(0, 4); });

TEST(Sandbox, SaysWhyThereIsNone) {
  BoxSetup setup;
  setup.strongest = Layer::kSeccomp;
  setup.minimum = Layer::kLandlock;
  EXPECT_THROW(Sandbox::start(setup), Error);
}

}  // namespace
}  // namespace tenon::sandbox
