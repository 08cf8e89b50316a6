// Tests of how many threads a run takes by itself.
// SPDX-License-Identifier: Apache-2.0
#include "host/available_threads.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace tenon::host {
namespace {

namespace fs = std::filesystem;

TEST(AvailableThreads, AreNoMoreThanAContainerMayUse) {
  std::string name = (fs::temp_directory_path() / "tenon-cgroup-XXXXXX").string();
  const fs::path dir = ::mkdtemp(name.data());
  const uint32_t all = std::max(1u, std::thread::hardware_concurrency());
  const auto with = [&](const std::string& file, const std::string& text) {
    fs::create_directories((dir / file).parent_path());
    std::ofstream(dir / file) << text;
    return available_threads(dir);
  };
  EXPECT_EQ(available_threads(dir), all) << "no control group";
  EXPECT_EQ(with("cpu/cpu.cfs_period_us", "100000\n"), all);
  EXPECT_EQ(with("cpu/cpu.cfs_quota_us", "-1\n"), all) << "v1 without a limit";
  EXPECT_EQ(with("cpu/cpu.cfs_quota_us", "50000\n"), 1u);
  EXPECT_EQ(with("cpu/cpu.cfs_quota_us", "150000\n"), std::min(all, 2u)) << "rounded up";
  EXPECT_EQ(with("cpu.max", "10000 100000\n"), 1u) << "v2 comes first";
  EXPECT_EQ(with("cpu.max", "9900000000 100000\n"), all);
  fs::remove_all(dir / "cpu");
  EXPECT_EQ(with("cpu.max", "max 100000\n"), all) << "v2 without a limit";
  fs::remove_all(dir);
}

}  // namespace
}  // namespace tenon::host
