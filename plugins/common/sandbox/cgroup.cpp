// Finds the own group in every hierarchy and makes one below it.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>

namespace tenon::sandbox {

namespace {

struct Mount {
  std::string root, point, type, options;
};

// The cgroup mounts of a file like /proc/self/mountinfo.
std::vector<Mount> cgroup_mounts(const std::string& file) {
  std::vector<Mount> all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string skip, word, source;
    Mount m;
    fields >> skip >> skip >> skip >> m.root >> m.point;
    while (fields >> word && word != "-") {
    }
    fields >> m.type >> source >> m.options;
    if (m.type == "cgroup" || m.type == "cgroup2") all.push_back(m);
  }
  return all;
}

// Own groups by controller ("memory"), of version 2 by "".
std::map<std::string, std::string> own_groups(const std::string& file) {
  std::map<std::string, std::string> all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t a = line.find(':'), b = line.find(':', a + 1);
    if (b == std::string::npos) continue;
    std::istringstream controllers(line.substr(a + 1, b - a - 1));
    if (b == a + 1) all[""] = line.substr(b + 1);
    for (std::string one; std::getline(controllers, one, ',');) all[one] = line.substr(b + 1);
  }
  return all;
}

// The folder of a group in a mount that may show only a part of the hierarchy.
std::string folder_of(const Mount& m, const std::string& group) {
  if (m.root == "/") return m.point + (group == "/" ? "" : group);
  if (group == m.root) return m.point;
  return group.starts_with(m.root + "/") ? m.point + group.substr(m.root.size()) : m.point;
}

bool set(const std::string& file, const std::string& value) {
  std::ofstream out(file);
  out << value << std::flush;
  return out.good();
}

std::string new_folder(const std::string& parent, const CgroupSystem& system) {
  static std::atomic<unsigned> count{0};
  std::string path = parent + "/tenon-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  const bool is_made = system.make ? system.make(path) : mkdir(path.c_str(), 0700) == 0;
  return is_made ? path : "";
}

bool make_v2(const CgroupSystem& system, const std::string& parent, uint64_t memory, uint64_t processes,
             Cgroups& out) {
  const std::string path = new_folder(parent, system);
  if (path.empty()) return false;
  if (access((path + "/memory.max").c_str(), W_OK) != 0 || access((path + "/pids.max").c_str(), W_OK) != 0)
    set(parent + "/cgroup.subtree_control", "+memory +pids");
  const bool ok = access((path + "/memory.max").c_str(), W_OK) == 0 &&
                  access((path + "/pids.max").c_str(), W_OK) == 0 &&
                  (memory == 0 || set(path + "/memory.max", std::to_string(memory))) &&
                  (processes == 0 || set(path + "/pids.max", std::to_string(processes)));
  if (!ok) {
    rmdir(path.c_str());
    return false;
  }
  set(path + "/memory.swap.max", "0");  // absent without swap accounting
  out.folders.push_back(path);
  out.description = "v2 memory, pids";
  return true;
}

// Below the own group, or beside it.
bool make_v2_somewhere(const CgroupSystem& system, const Mount& m, const std::string& group, uint64_t memory,
                       uint64_t processes, Cgroups& out) {
  const std::string own = folder_of(m, group);
  if (make_v2(system, own, memory, processes, out)) return true;
  if (own == m.point) return false;  // nothing above it is in sight
  const std::string above = own.substr(0, own.rfind('/'));
  return (system.is_ours ? system.is_ours(above) : is_delegated(above)) &&
         make_v2(system, above, memory, processes, out);
}

void make_v1(const CgroupSystem& system, const Mount& m, const std::string& controller,
             const std::string& group, const std::string& limit, uint64_t value, Cgroups& out) {
  const std::string path = new_folder(folder_of(m, group), system);
  if (path.empty()) return;
  if (value != 0 && !set(path + "/" + limit, std::to_string(value))) {
    rmdir(path.c_str());
    return;
  }
  if (controller == "memory") set(path + "/memory.swappiness", "0");
  out.folders.push_back(path);
  out.description += (out.description.empty() ? "v1 " : ", ") + controller;
}

bool lists(const std::string& options, const std::string& word) {
  return ("," + options + ",").find("," + word + ",") != std::string::npos;
}

}  // namespace

bool is_delegated(const std::string& folder) {
  if (access("/run/systemd/system", F_OK) != 0) return true;
  for (const char* mark : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (getxattr(folder.c_str(), mark, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

Cgroups make_cgroups(uint64_t memory, uint64_t processes, const CgroupSystem& system) {
  Cgroups out;
  const auto groups = own_groups(system.groups);
  const auto mounts = cgroup_mounts(system.mounts);
  for (const Mount& m : mounts)
    if (m.type == "cgroup2" && groups.contains("") &&
        make_v2_somewhere(system, m, groups.at(""), memory, processes, out))
      return out;
  for (const Mount& m : mounts) {
    if (m.type != "cgroup") continue;
    if (lists(m.options, "memory") && groups.contains("memory"))
      make_v1(system, m, "memory", groups.at("memory"), "memory.limit_in_bytes", memory, out);
    if (lists(m.options, "pids") && groups.contains("pids"))
      make_v1(system, m, "pids", groups.at("pids"), "pids.max", processes, out);
  }
  if (out.folders.empty())
    out.description = mounts.empty() ? "none: no hierarchy is mounted"
                                     : "none: no group can be made below or beside the own one";
  return out;
}

void remove_cgroups(const Cgroups& groups) {
  for (const std::string& folder : groups.folders)
    for (int tries = 0; rmdir(folder.c_str()) != 0 && errno == EBUSY && tries < 2000; ++tries) usleep(1000);
}

}  // namespace tenon::sandbox
