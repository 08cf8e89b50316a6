// How many threads this process can keep busy.
// SPDX-License-Identifier: Apache-2.0
#include "host/available_threads.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace tenon::host {

namespace {

namespace fs = std::filesystem;

// The share of processors that the group may use; 0: no limit, or none that can be read. "max 100000" and -1 are no limit.
double quota(const fs::path& cgroup) {
  double used = 0, period = 0;
  if (std::ifstream v2(cgroup / "cpu.max"); v2 >> used >> period) return period > 0 ? used / period : 0;
  std::ifstream v1_quota(cgroup / "cpu/cpu.cfs_quota_us"), v1_period(cgroup / "cpu/cpu.cfs_period_us");
  if (v1_quota >> used && v1_period >> period && used > 0 && period > 0) return used / period;
  return 0;
}

}  // namespace

uint32_t available_threads(const fs::path& cgroup) {
  const uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
  const double share = quota(cgroup);
  if (!(share > 0) || share >= processors) return processors;
  return std::max(1u, static_cast<uint32_t>(std::ceil(share)));
}

}  // namespace tenon::host
