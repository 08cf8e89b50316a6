// Tests of the box: what a program in it can and cannot do, and what happens at each limit.
// SPDX-License-Identifier: Apache-2.0
#include "testing/boxes.h"

namespace tenon::sandbox {
namespace {

using namespace testing_boxes;

TEST_P(EveryLayer, RunsAProgram) {
  const Ran r = run(*box_, {"/bin/cat"}, "hello");
  EXPECT_TRUE(r.outcome.reported);
  EXPECT_EQ(r.outcome.report.error, 0) << r.outcome.report.step;
  EXPECT_EQ(r.exit_code(), 0);
  EXPECT_EQ(r.out, "hello");
}

TEST_P(EveryLayer, ReadsWhatItMay) {
  const Ran r = run(*box_, {"/bin/cat", "/dev/null", "/etc/ld.so.cache"});
  EXPECT_EQ(r.exit_code(), 0) << r.err;
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
  EXPECT_EQ(busy.signal(), SIGXCPU) << "said by the kernel, and by nobody else";
  EXPECT_GE(busy.outcome.report.cpu_us, 500'000u);
  EXPECT_EQ(busy.outcome.report.is_unmeasured, 0u);
  EXPECT_FALSE(busy.outcome.timed_out);
}

TEST_P(EveryLayer, AKilledBuildTakesItsProcessesAlong) {
  const Ran r = run(*box_, {"/bin/sh", "-c", "trap '' TERM; (sleep 60 &) ; sleep 60 & sleep 60"}, "",
                    Policy::kBuild, 0.3);
  EXPECT_TRUE(r.outcome.timed_out);
  EXPECT_TRUE(r.outcome.reported) << "its end is known: the box did not fail";
  EXPECT_EQ(r.outcome.report.error, 0);
  EXPECT_EQ(r.outcome.report.is_unmeasured, 1u);
  const Ran left = run(*box_, {"/bin/sh", "-c", "(sleep 61 &) ; echo done"}, "", Policy::kBuild);
  EXPECT_EQ(left.out, "done\n");
  EXPECT_FALSE(left.outcome.timed_out) << "a process that stays does not hold the build up";
}

INSTANTIATE_TEST_SUITE_P(All, EveryLayer, every_layer(), short_name);

TEST(Sandbox, WhoIgnoresTheProcessorTimeLimitIsKilled) {
  BoxSetup setup;
  setup.minimum = Layer::kSeccomp;
  const auto box = Sandbox::start(setup);
  const Ran deaf = run(*box, {"/bin/sh", "-c", "trap '' XCPU; while :; do :; done"}, "", Policy::kRun, 60);
  EXPECT_EQ(deaf.signal(), SIGKILL);
  EXPECT_FALSE(deaf.outcome.timed_out);
}

TEST(Sandbox, SaysWhyThereIsNone) {
  BoxSetup setup;
  setup.strongest = Layer::kSeccomp;
  setup.minimum = Layer::kLandlock;
  EXPECT_THROW(Sandbox::start(setup), Error);
}

}  // namespace
}  // namespace tenon::sandbox
