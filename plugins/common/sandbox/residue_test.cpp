// Tests that nothing of a box stays: of one that is killed, of a judge that is killed, of folders that do not want to go.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>

#include <chrono>
#include <functional>
#include <thread>

#include "testing/boxes.h"

namespace tenon::sandbox {
namespace {

using namespace testing_boxes;
namespace fs = std::filesystem;

// Whether it comes true within some seconds.
bool in_time(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (std::chrono::steady_clock::now() < end) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// A process with that word in its command line; its pid is 0 where there is none.
Process find(const std::string& word) {
  for (const Process& p : processes())
    if (p.command_line.find('\0' + word + '\0') != std::string::npos) return p;
  return {};
}

// Folders and control groups that boxes of a judge have made.
std::vector<std::string> folders_of(pid_t judge) {
  std::vector<std::string> found;
  const std::string number = std::to_string(judge);
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path()))
    if (entry.path().filename().string().starts_with("tenon-box-" + number + "-"))
      found.push_back(entry.path());
  std::error_code ignored;
  for (fs::recursive_directory_iterator
           it("/sys/fs/cgroup", fs::directory_options::skip_permission_denied, ignored),
       end;
       it != end; it.increment(ignored))
    if (it->path().filename().string().starts_with("tenon-" + number + "-")) found.push_back(it->path());
  return found;
}

class Residue : public EveryLayer {
 protected:
  void SetUp() override {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // what outlives its parent becomes ours
    EveryLayer::SetUp();
  }
  void TearDown() override {
    EveryLayer::TearDown();
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  }
  // Numbers of seconds that no other test sleeps.
  std::string seconds(int k) const { return std::to_string(judge_) + std::to_string(10 * test_ + k); }

 private:
  static inline int tests_ = 0;
  const int test_ = ++tests_;
  const pid_t judge_ = getpid();
};

TEST_P(Residue, AKilledBoxLeavesNothing) {
  const Fd run = start(*box_, {"/bin/sleep", seconds(1)}, Policy::kRun);
  const Fd build =
      start(*box_, {"/bin/sh", "-c", "(sleep " + seconds(2) + " & :); sleep " + seconds(3)}, Policy::kBuild);
  for (int k : {1, 2, 3}) ASSERT_TRUE(in_time([&] { return find(seconds(k)).pid > 0; })) << k;
  for (const Process& p : processes())
    if (p.parent == getpid()) kill(p.pid, SIGKILL);
  EXPECT_TRUE(in_time([&] { return !box_->is_there(); }));
  box_.reset();
  for (int k : {1, 2, 3}) EXPECT_TRUE(in_time([&] { return find(seconds(k)).pid == 0; })) << k;
  while (waitpid(-1, nullptr, WNOHANG) > 0) {  // orphans, dead by now
  }
  EXPECT_EQ(folders_of(getpid()), std::vector<std::string>());
}

TEST_P(Residue, AKilledJudgeLeavesNothing) {
  box_.reset();
  const pid_t judge = fork();
  if (judge == 0) {
    BoxSetup setup;
    setup.strongest = setup.minimum = GetParam();
    const auto box = Sandbox::start(setup);
    const Fd run = start(*box, {"/bin/sleep", seconds(1)}, Policy::kRun);
    const Fd build = start(*box, {"/bin/sh", "-c", "sleep " + seconds(2) + "; :"}, Policy::kBuild);
    in_time([&] { return find(seconds(1)).pid > 0 && find(seconds(2)).pid > 0; });
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(judge, &status, 0), judge);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(in_time([&] { return find(seconds(1)).pid == 0 && find(seconds(2)).pid == 0; }));
  EXPECT_TRUE(in_time([&] { return folders_of(judge).empty(); }));
  EXPECT_TRUE(in_time([&] { return waitpid(-1, nullptr, WNOHANG) < 0; })) << "a process of the box stays";
}

// A build that is killed from outside, and so reports nothing, is seen to have ended though another one runs.
TEST_P(Residue, AnEndWithoutAReportIsSeen) {
  Fd first = start(*box_, {"/bin/sleep", seconds(1)}, Policy::kBuild);
  ASSERT_TRUE(in_time([&] { return find(seconds(1)).pid > 0; }));
  const Fd second = start(*box_, {"/bin/sleep", seconds(2)}, Policy::kBuild);
  ASSERT_TRUE(in_time([&] { return find(seconds(2)).pid > 0; }));
  kill(find(seconds(1)).parent, SIGKILL);
  const Outcome o = attend({&first}, {}, 10)[0];
  EXPECT_FALSE(o.timed_out);
  EXPECT_FALSE(o.reported);
}

TEST_P(Residue, AFolderGoesWhateverIsInIt) {
  const Ran r = run(
      *box_,
      {"/bin/sh", "-c",
       "mkdir -p d/e/f/g/h .removed-0/.removed-1/x .removed-2/y; echo > .removed-3; echo > d/e/.removed-4; "
       "ln -s / d/e/root; mkfifo d/e/f/g/pipe; chmod 000 d/e/f/g d; echo made"},
      "", Policy::kBuild);
  EXPECT_EQ(r.out, "made\n") << r.err;
  if (has_namespaces()) return;
  const fs::path folder = fs::path(box_->shared_folder()).parent_path();
  EXPECT_TRUE(in_time([&] {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().filename().string().starts_with("work-")) return false;
    return true;
  }));
}

INSTANTIATE_TEST_SUITE_P(All, Residue, every_layer(), short_name);

}  // namespace
}  // namespace tenon::sandbox
