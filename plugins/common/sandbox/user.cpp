// Picks an id of nobody's that this user namespace knows.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/user.h"

#include <fstream>

namespace tenon::sandbox {

namespace {

constexpr unsigned kBoxesOfOne = 16;  // ids that one judge goes through

// Whether a file like /proc/self/uid_map ("inside outside count" in each line) has all of the ids in one line.
bool has(const std::string& map, UserIds ids) {
  std::ifstream in(map);
  for (uint64_t inside = 0, outside = 0, count = 0; in >> inside >> outside >> count;)
    if (ids.from >= inside && ids.to - inside < count) return true;
  return false;
}

}  // namespace

uint64_t box_user(pid_t judge, unsigned box, const std::string& uid_map, const std::string& gid_map) {
  const auto is_known = [&](UserIds ids) { return has(uid_map, ids) && has(gid_map, ids); };
  for (const UserIds& ids : {kBoxUsers, kBoxUsersOfContainer})
    if (is_known(ids))
      return ids.from +
             (static_cast<uint64_t>(judge) * kBoxesOfOne + box % kBoxesOfOne) % (ids.to - ids.from + 1);
  return is_known({kNobody, kNobody}) ? kNobody : 0;
}

}  // namespace tenon::sandbox
