// Tests of the box's user id: nobody else's, and one that the namespace knows.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/user.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace tenon::sandbox {
namespace {

// Ids that are given away: https://systemd.io/UIDS-GIDS; UID_MAX and SUB_UID_MIN of login.defs(5).
constexpr UserIds kTaken[] = {{0, 60000},
                              {60001, 60513},
                              {60514, 60577},
                              {60578, 60705},
                              {61184, 65519},
                              {65534, 65535},
                              {100000, 600'100'000},
                              {524'288, 1'879'048'191},
                              {2'147'352'576, UINT64_MAX}};

class UserMap : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-user-test-XXXXXX").string();
    const int fd = mkstemp(name.data());
    ASSERT_GE(fd, 0);
    close(fd);
    file_ = name;
  }
  void TearDown() override { std::filesystem::remove(file_); }
  uint64_t of(const std::string& map, pid_t judge = 1, unsigned box = 0) {
    std::ofstream(file_) << map;
    return box_user(judge, box, file_, file_);
  }
  std::string file_;
};

TEST_F(UserMap, NoIdIsAnybodyElses) {
  for (const UserIds& ours : {kBoxUsers, kBoxUsersOfContainer})
    for (const UserIds& theirs : kTaken)
      EXPECT_TRUE(ours.to < theirs.from || theirs.to < ours.from) << ours.from << " " << theirs.from;
}

TEST_F(UserMap, EveryIdIsWithinItsBounds) {
  for (const auto& [map, ids] : {std::pair{"         0          0 4294967295\n", kBoxUsers},
                                 std::pair{"0 100000 65536\n", kBoxUsersOfContainer}})
    for (pid_t judge : {1, 2, 331, 2000, 32768, 4'194'304})
      for (unsigned box : {0u, 1u, 15u, 16u, 4'294'967'295u}) {
        const uint64_t id = of(map, judge, box);
        EXPECT_GE(id, ids.from);
        EXPECT_LE(id, ids.to);
      }
}

TEST_F(UserMap, BoxesOfOneJudgeDiffer) {
  std::set<uint64_t> ids;
  for (unsigned box = 0; box < 16; ++box) ids.insert(of("0 0 4294967295\n", 4711, box));
  EXPECT_EQ(ids.size(), 16u);
}

TEST_F(UserMap, AnIdThatTheNamespaceDoesNotKnowIsNotTaken) {
  EXPECT_EQ(of("0 1000 1\n"), 0u) << "the judge's own is all there is";
  EXPECT_EQ(of(""), 0u);
  EXPECT_EQ(of("0 1000 1\n1 100000 1000\n65534 165534 1\n"), kNobody);
  EXPECT_EQ(of("0 1000 1\n1 100000 65536\n"), of("0 0 65536\n"))
      << "mapped in two pieces, as rootless containers do";
  EXPECT_EQ(of("0 0 61184\n"), of("0 0 65536\n"));
  EXPECT_EQ(of("0 0 61183\n"), 0u) << "one too few";
  EXPECT_EQ(of("0 0 97999\n"), of("0 0 65536\n"));
  EXPECT_EQ(of("0 0 98000\n"), of("0 0 4294967295\n"));
}

}  // namespace
}  // namespace tenon::sandbox
