// What the judge and the box say to each other: messages over a SOCK_SEQPACKET socket, file descriptors beside them (SCM_RIGHTS).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace tenon::sandbox {

// How the box is walled in, strongest first.
enum class Layer : uint32_t {
  kUserNamespaces = 0,  // user, pid, mount, net, ipc and uts namespaces of one's own
  kRootNamespaces = 1,  // the same without a user namespace: needs CAP_SYS_ADMIN
  kLandlock = 2,        // no namespaces: Landlock and the system-call filter
  kSeccomp = 3          // the system-call filter alone: every world-readable file can be read
};

// What a process in the box may do.
enum class Policy : uint32_t {
  kFork = 0,   // our own fork server: no filter of its own, its children load one
  kRun = 1,    // one process with threads; no file can be written, no process started
  kBuild = 2,  // processes and files in a work folder that is thrown away: compilers
};

constexpr uint32_t kControlFd = 3;
constexpr uint32_t kMaxMessage = 160 * 1024;  // below the default socket buffer
constexpr uint32_t kMaxFds = 32;
// In a filter this number stands for the id of the process that loads it (allowed to signal itself alone).
constexpr uint32_t kOwnPid = 0x7e4e0b0c;

struct BoxLimits {
  uint64_t cpu_seconds = 0;  // RLIMIT_CPU: SIGXCPU, and SIGKILL a second later; 0: none
  uint64_t address_space = 0;
  uint64_t data = 0;
  uint64_t stack = 0;
  uint64_t file_size = 0;
  uint64_t processes = 0;  // threads of the box's user id; 0: none
  uint64_t files = 64;     // descriptors
};

// What the box reports of a job that ended.
struct JobReport {
  int32_t status = 0;          // as waitpid gives it
  int32_t error = 0;           // errno of a step before the program ran; 0: it ran
  uint32_t step = 0;           // which: BoxStep
  uint32_t is_unmeasured = 0;  // 1: of a build that was killed; what it used is not known
  uint64_t cpu_us = 0;
  uint64_t peak_kib = 0;
  uint64_t preempted =
      0;  // how often it lost its processor though it could have gone on (getrusage(2), ru_nivcsw)
};

enum class BoxStep : uint32_t {
  kNone,
  kLimits,
  kWorkFolder,
  kInput,
  kLandlock,
  kPrivileges,
  kFilter,
  kExec,
  kFork,
  kOutput
};

// Text form of the two messages. Strings are length-prefixed; no pointers.
class Packer {
 public:
  void u64(uint64_t v) { bytes.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void str(const char* s, size_t n) {
    u64(n);
    bytes.append(s, n);
  }
  void str(const std::string& s) { str(s.data(), s.size()); }
  std::string bytes;
};
class Unpacker {
 public:
  Unpacker(const char* data, size_t n) : at_(data), end_(data + n) {}
  bool ok() const { return ok_; }
  uint64_t u64() {
    uint64_t v = 0;
    if (!take(sizeof v)) return 0;
    std::memcpy(&v, at_ - sizeof v, sizeof v);
    return v;
  }
  std::string str() {
    const uint64_t n = u64();
    if (!take(n)) return {};
    return std::string(at_ - n, n);
  }

 private:
  bool take(uint64_t n) {
    if (static_cast<uint64_t>(end_ - at_) < n) ok_ = false;
    if (ok_) at_ += n;
    return ok_;
  }
  const char *at_, *end_;
  bool ok_ = true;
};

// The first message: how to build the box.
struct BoxConfig {
  Layer layer = Layer::kUserNamespaces;
  uint64_t user =
      0;  // user and group id of what runs in the box, where the judge is root; 0: the judge's own
  uint64_t work_bytes = 0, work_files = 0;  // of a build's work folder
  uint64_t shared_bytes = 0;                // of the folder that prepare jobs fill
  std::string temporary;  // kLandlock, kSeccomp: the box's folder, made by the judge, removed by the box
  std::vector<std::string> read_only;    // what may be read: folders and files
  std::vector<std::string> cgroups;      // folders to enter, and to remove at the end
  std::string run_filter, build_filter;  // struct sock_filter[]

  std::string pack() const {
    Packer p;
    p.u64(static_cast<uint64_t>(layer));
    for (uint64_t v : {user, work_bytes, work_files, shared_bytes}) p.u64(v);
    p.str(temporary);
    for (const auto* list : {&read_only, &cgroups}) {
      p.u64(list->size());
      for (const auto& s : *list) p.str(s);
    }
    p.str(run_filter);
    p.str(build_filter);
    return p.bytes;
  }
  bool unpack(const char* data, size_t n) {
    Unpacker u(data, n);
    layer = static_cast<Layer>(u.u64());
    for (uint64_t* v : {&user, &work_bytes, &work_files, &shared_bytes}) *v = u.u64();
    temporary = u.str();
    for (auto* list : {&read_only, &cgroups})
      for (uint64_t k = u.u64(); k > 0 && u.ok(); --k) list->push_back(u.str());
    run_filter = u.str();
    build_filter = u.str();
    return u.ok();
  }
};

// Every later message: a program to run. File descriptors beside it: the status socket, the standard ones (0, 1, 2, and what follows them),
// then the program, then inputs and outputs in their order.
struct BoxJob {
  Policy policy = Policy::kRun;
  bool prepare = false;   // kBuild in the box's shared folder; its files stay, read-only for all others
  bool exec_fd = false;   // run the descriptor, not argv[0]
  uint64_t standard = 3;  // how many descriptors become 0, 1, 2…
  BoxLimits limits;
  std::vector<std::string> argv, environment;
  std::vector<std::string> inputs,
      outputs;                // names in the work folder: copied in before, copied out after exit status 0
  uint64_t output_bytes = 0;  // largest output

  std::string pack() const {
    Packer p;
    for (uint64_t v : {static_cast<uint64_t>(policy), static_cast<uint64_t>(prepare),
                       static_cast<uint64_t>(exec_fd), standard, output_bytes})
      p.u64(v);
    p.str(reinterpret_cast<const char*>(&limits), sizeof limits);
    for (const auto* list : {&argv, &environment, &inputs, &outputs}) {
      p.u64(list->size());
      for (const auto& s : *list) p.str(s);
    }
    return p.bytes;
  }
  bool unpack(const char* data, size_t n) {
    Unpacker u(data, n);
    policy = static_cast<Policy>(u.u64());
    prepare = u.u64() != 0;
    exec_fd = u.u64() != 0;
    standard = u.u64();
    output_bytes = u.u64();
    const std::string l = u.str();
    if (l.size() != sizeof limits) return false;
    std::memcpy(&limits, l.data(), sizeof limits);
    for (auto* list : {&argv, &environment, &inputs, &outputs})
      for (uint64_t k = u.u64(); k > 0 && u.ok(); --k) list->push_back(u.str());
    return u.ok();
  }
};

// Folders in the box.
constexpr const char* kWorkFolder = "/work";
constexpr const char* kSharedFolder = "/shared";

}  // namespace tenon::sandbox
