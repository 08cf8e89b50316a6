// How many threads this process can keep busy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

namespace tenon::host {

// The processors that this process may run on, or fewer where a control group (a container's) gives it less of their time: the quota by the period,
// rounded up. Of cgroup v2 `cgroup`/cpu.max is read, of v1 `cgroup`/cpu/cpu.cfs_*. At least 1.
uint32_t available_threads(const std::filesystem::path& cgroup = "/sys/fs/cgroup");

}  // namespace tenon::host
