// Tests of control groups: the file handling of both versions on a tree of plain files, and the machine's own hierarchies where groups can be made.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace tenon::sandbox {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// A hierarchy of plain files. `controls`: the files that a new group has, as the kernel would put them there.
class Tree : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tenon-cgroup-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  CgroupSystem system(const std::string& mounts, const std::string& groups,
                      const std::vector<std::string>& controls) {
    std::ofstream(root_ / "mountinfo") << mounts;
    std::ofstream(root_ / "cgroup") << groups;
    CgroupSystem s{(root_ / "mountinfo").string(), (root_ / "cgroup").string(), {}, {}};
    s.make = [controls](const std::string& folder) {
      std::error_code error;
      if (!fs::create_directory(folder, error)) return false;
      for (const std::string& control : controls) std::ofstream(fs::path(folder) / control) << "max";
      return true;
    };
    return s;
  }
  std::string mount_line(const std::string& shown, const fs::path& point, const std::string& type,
                         const std::string& options) {
    return "30 24 0:26 " + shown + " " + point.string() + " rw,relatime shared:4 - " + type + " cgroup " +
           options + "\n";
  }
  fs::path root_;
};

TEST_F(Tree, Version2HasBothLimitsAndNoSwap) {
  fs::create_directories(root_ / "v2/own");
  const Cgroups made =
      make_cgroups(1 << 20, 17,
                   system(mount_line("/", root_ / "v2", "cgroup2", "rw,nsdelegate"), "0::/own\n",
                          {"memory.max", "pids.max", "memory.swap.max", "cgroup.procs"}));
  ASSERT_EQ(made.folders.size(), 1u) << made.description;
  EXPECT_EQ(made.description, "v2 memory, pids");
  const fs::path group = made.folders[0];
  EXPECT_EQ(group.parent_path(), root_ / "v2/own");
  EXPECT_EQ(text_of(group / "memory.max"), "1048576");
  EXPECT_EQ(text_of(group / "pids.max"), "17");
  EXPECT_EQ(text_of(group / "memory.swap.max"), "0");
}

TEST_F(Tree, Version2AsksForControllersThatAreNotHandedDown) {
  fs::create_directories(root_ / "v2");
  std::ofstream(root_ / "v2/cgroup.subtree_control") << "";
  const Cgroups made = make_cgroups(
      1 << 20, 17, system(mount_line("/", root_ / "v2", "cgroup2", "rw"), "0::/\n", {"cgroup.procs"}));
  EXPECT_EQ(text_of(root_ / "v2/cgroup.subtree_control"), "+memory +pids");
  EXPECT_TRUE(made.folders.empty()) << "they did not come";
  EXPECT_EQ(made.description, "none: no group can be made below or beside the own one");
}

// The judge is in a group of its own, which cannot hand controllers down while it is there; the group above does.
TEST_F(Tree, Version2IsMadeBesideTheOwnGroupWhereThatIsOurs) {
  fs::create_directories(root_ / "v2/unit/judge");
  CgroupSystem s = system(mount_line("/", root_ / "v2", "cgroup2", "rw"), "0::/unit/judge\n", {});
  s.make = [this](const std::string& folder) {
    fs::create_directory(folder);
    if (fs::path(folder).parent_path() == root_ / "v2/unit")
      for (const char* control : {"memory.max", "pids.max"})
        std::ofstream(fs::path(folder) / control) << "max";
    return true;
  };
  s.is_ours = [](const std::string&) { return false; };
  EXPECT_TRUE(make_cgroups(1 << 20, 17, s).folders.empty()) << "another's group";
  s.is_ours = [](const std::string& folder) { return folder.ends_with("/v2/unit"); };
  const Cgroups made = make_cgroups(1 << 20, 17, s);
  ASSERT_EQ(made.folders.size(), 1u) << made.description;
  EXPECT_EQ(fs::path(made.folders[0]).parent_path(), root_ / "v2/unit");
  EXPECT_EQ(text_of(fs::path(made.folders[0]) / "pids.max"), "17");
  for (const auto& entry : fs::directory_iterator(root_ / "v2/unit/judge"))
    EXPECT_FALSE(entry.is_directory()) << "the one that was of no use is still there";
}

TEST_F(Tree, AMountOfAPartShowsTheGroupBelowIt) {
  fs::create_directories(root_ / "v2/job");
  const Cgroups made = make_cgroups(0, 0,
                                    system(mount_line("/machine/box", root_ / "v2", "cgroup2", "rw"),
                                           "0::/machine/box/job\n", {"memory.max", "pids.max"}));
  ASSERT_EQ(made.folders.size(), 1u) << made.description;
  EXPECT_EQ(fs::path(made.folders[0]).parent_path(), root_ / "v2/job");
  EXPECT_EQ(text_of(fs::path(made.folders[0]) / "memory.max"), "max") << "0 is no limit";
}

TEST_F(Tree, Version1HasOneGroupForEachController) {
  for (const char* folder : {"memory/own", "pids", "cpu", "v2"}) fs::create_directories(root_ / folder);
  const Cgroups made =
      make_cgroups(1 << 20, 17,
                   system(mount_line("/", root_ / "v2", "cgroup2", "rw") +
                              mount_line("/", root_ / "memory", "cgroup", "rw,memory") +
                              mount_line("/", root_ / "cpu", "cgroup", "rw,cpu,cpuacct") +
                              mount_line("/", root_ / "pids", "cgroup", "rw,pids"),
                          "4:memory:/own\n3:pids:/\n2:cpu,cpuacct:/\n0::/\n",
                          {"memory.limit_in_bytes", "pids.max", "memory.swappiness", "cgroup.procs"}));
  EXPECT_EQ(made.description, "v1 memory, pids") << "version 2 has no memory.max here";
  ASSERT_EQ(made.folders.size(), 2u);
  EXPECT_EQ(fs::path(made.folders[0]).parent_path(), root_ / "memory/own");
  EXPECT_EQ(text_of(fs::path(made.folders[0]) / "memory.limit_in_bytes"), "1048576");
  EXPECT_EQ(text_of(fs::path(made.folders[0]) / "memory.swappiness"), "0");
  EXPECT_EQ(text_of(fs::path(made.folders[1]) / "pids.max"), "17");
}

TEST_F(Tree, WhatIsMissingIsSaid) {
  EXPECT_EQ(make_cgroups(1, 1, system("", "", {})).description, "none: no hierarchy is mounted");
  const CgroupSystem read_only =
      system(mount_line("/", root_ / "not-there", "cgroup", "ro,pids"), "3:pids:/\n", {"pids.max"});
  EXPECT_EQ(make_cgroups(1, 1, read_only).description,
            "none: no group can be made below or beside the own one");
}

TEST(Cgroup, OfThisMachineAreMadeAndRemoved) {
  const Cgroups made = make_cgroups(64 << 20, 50);
  if (made.folders.empty()) GTEST_SKIP() << made.description;
  for (const std::string& folder : made.folders) EXPECT_TRUE(fs::exists(fs::path(folder) / "cgroup.procs"));
  remove_cgroups(made);
  for (const std::string& folder : made.folders) EXPECT_FALSE(fs::exists(folder));
}

// What a process in the groups gives: its wait status.
int in_groups(const Cgroups& groups, const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    for (const std::string& folder : groups.folders) {
      std::ofstream procs(folder + "/cgroup.procs");
      procs << "0" << std::flush;
      if (!procs.good()) _exit(99);
    }
    _exit(work());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Cgroup, OfThisMachineHoldTheirLimits) {
  const Cgroups made = make_cgroups(32 << 20, 8);
  if (made.description.find("memory, pids") == std::string::npos) GTEST_SKIP() << made.description;
  const int few = in_groups(made, [] { return 7; });
  if (WEXITSTATUS(few) == 99) GTEST_SKIP() << "they cannot be entered";
  EXPECT_EQ(few, 7 << 8);
  const int memory = in_groups(made, [] {
    std::vector<char> much(128 << 20, 1);
    return static_cast<int>(much.back());
  });
  EXPECT_TRUE(WIFSIGNALED(memory) && WTERMSIG(memory) == SIGKILL) << memory;
  const int processes = in_groups(made, [] {
    std::vector<pid_t> children;
    for (pid_t pid = 0; children.size() < 20 && (pid = fork()) >= 0; children.push_back(pid))
      if (pid == 0)
        for (;;) pause();
    for (pid_t pid : children) kill(pid, SIGKILL);
    while (wait(nullptr) > 0) {
    }
    return static_cast<int>(children.size());
  });
  EXPECT_EQ(processes, 7 << 8) << "eight with the first";
  remove_cgroups(made);
  for (const std::string& folder : made.folders) EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace tenon::sandbox
