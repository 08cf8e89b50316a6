// Removing what a program left behind.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"

namespace tenon::sandbox {

// What is nested deeply comes to the top first, so that no path and no recursion grows.
void remove_folder(const std::string& path) {
  const int top = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return;
  uint64_t moved = 0;
  for (bool again = true; again;) {
    again = false;
    DIR* all = fdopendir(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (all == nullptr) break;
    while (const dirent* entry = readdir(all)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (unlinkat(top, name.c_str(), 0) == 0 || errno != EISDIR) continue;
      fchmodat(top, name.c_str(), 0700, 0);
      if (DIR* inner =
              fdopendir(openat(top, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))) {
        while (const dirent* below = readdir(inner)) {
          const std::string child = below->d_name;
          if (child == "." || child == "..") continue;
          if (unlinkat(dirfd(inner), child.c_str(), 0) == 0) continue;
          int rc = 0;
          do rc = renameat2(dirfd(inner), child.c_str(), top, (".removed-" + std::to_string(moved++)).c_str(),
                            RENAME_NOREPLACE);
          while (rc != 0 && errno == EEXIST);  // a name that the program has taken itself
          again |= rc == 0;
        }
        closedir(inner);
      }
      unlinkat(top, name.c_str(), AT_REMOVEDIR);
    }
    closedir(all);
  }
  close(top);
  rmdir(path.c_str());
}

}  // namespace tenon::sandbox
