// The user id of what runs in a box.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace tenon::sandbox {

// Ids that belong to nobody, from..to. The first choice is beyond what useradd (UID_MAX 60000) and systemd (dynamic users 61184-65519) give away, and below
// what containers are given (subordinate ids from 100000, systemd's from 524288); so says https://systemd.io/UIDS-GIDS, login.defs(5). A container
// that knows 65536 ids alone has no such place: there it is what systemd leaves free in between (Debian may give away 60000-64999 by name; it has none of these).
struct UserIds {
  uint64_t from, to;
};
constexpr UserIds kBoxUsers{66000, 97999};
constexpr UserIds kBoxUsersOfContainer{60706, 61183};
constexpr uint64_t kNobody = 65534;

// A user and group id for a box of a judge that is root, as /proc/self/uid_map and gid_map (or files like them) allow. Boxes that are there at the same time seldom
// share one; no wall depends on it. kNobody where none of the above is mapped, 0 (the judge's own) where that is not either.
uint64_t box_user(pid_t judge, unsigned box, const std::string& uid_map = "/proc/self/uid_map",
                  const std::string& gid_map = "/proc/self/gid_map");

}  // namespace tenon::sandbox
