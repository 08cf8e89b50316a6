// Control groups of the box: memory and number of processes of everything in it together.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tenon::sandbox {

struct Cgroups {
  std::vector<std::string> folders;  // made below or beside the judge's own group, one each hierarchy
  std::string description;           // "v1 memory, pids", or why there is none
};

// Where the hierarchies are, and how a group is made: of this process. Tests put a tree of plain files in its place.
struct CgroupSystem {
  std::string mounts = "/proc/self/mountinfo", groups = "/proc/self/cgroup";
  std::function<bool(const std::string& folder)> make;     // empty: mkdir
  std::function<bool(const std::string& folder)> is_ours;  // empty: is_delegated
};

// Whether groups may be made in that one: there is no systemd, or it has marked the group as delegated (https://systemd.io/CGROUP_DELEGATION).
bool is_delegated(const std::string& folder);

// Makes groups with the limits given in bytes and processes (0: none): of version 2 where both controllers can be had, else of version 1. Swap is not to be
// used. What cannot be had is left out and said in the description. They lie below the process's own group; in version 2, where a group that hands controllers down
// has no processes itself ("no internal processes", Documentation/admin-guide/cgroup-v2.rst), beside it if it is not the root and the group above is delegated.
Cgroups make_cgroups(uint64_t memory, uint64_t processes, const CgroupSystem& system = {});
// Waits up to 2 s each for processes that were killed to leave them. What is not there is no error.
void remove_cgroups(const Cgroups& groups);

}  // namespace tenon::sandbox
