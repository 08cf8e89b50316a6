// Control groups of the box: memory and number of processes of everything in it together.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::sandbox {

struct Cgroups {
  std::vector<std::string> folders;  // made below the judge's own group, one each hierarchy
  std::string description;           // "v1 memory, pids", or why there is none
};

// Makes groups below the process's own, version 2 or 1, with the limits given (0: none). What cannot be had is left out and said in the description.
Cgroups make_cgroups(uint64_t memory, uint64_t processes);
void remove_cgroups(const Cgroups& groups);

}  // namespace tenon::sandbox
