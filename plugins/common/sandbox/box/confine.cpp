// What a process in the box gives up before it runs a program: resources, files, privileges, system calls.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "box.h"

namespace tenon::sandbox {

namespace {

// linux/landlock.h as of ABI 6; older headers lack the later fields.
struct RulesetAttr {
  uint64_t handled_access_fs, handled_access_net, scoped;
};
struct __attribute__((packed)) PathAttr {
  uint64_t allowed_access;
  int32_t parent_fd;
};
constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3;
constexpr uint64_t kAllAbi1 = (1 << 13) - 1, kRefer = 1 << 13, kTruncate = 1 << 14, kIoctlDevice = 1 << 15;
constexpr uint64_t kNetAll = 3, kScopeAll = 3;
constexpr uint64_t kForFiles = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice;
constexpr int kPathBeneath = 1;

int set_limit(__rlimit_resource_t what, uint64_t value, uint64_t grace = 0) {
  rlimit now{};
  if (getrlimit(what, &now) != 0) return errno;
  const rlimit next{std::min<rlim_t>(now.rlim_max, value), std::min<rlim_t>(now.rlim_max, value + grace)};
  return setrlimit(what, &next) == 0 ? 0 : errno;
}

int allow_path(int ruleset, const char* path, uint64_t access) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return 0;  // what is not there needs no rule
  struct stat st {};
  if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) access &= kForFiles;
  const PathAttr attr{access, fd};
  const int rc = static_cast<int>(syscall(SYS_landlock_add_rule, ruleset, kPathBeneath, &attr, 0));
  const int error = rc == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

int set_limits(const BoxLimits& limits) {
  const struct {
    __rlimit_resource_t what;
    uint64_t value;
    bool always;
  } all[] = {{RLIMIT_CPU, limits.cpu_seconds, false},
             {RLIMIT_AS, limits.address_space, false},
             {RLIMIT_DATA, limits.data, false},
             {RLIMIT_STACK, limits.stack, false},
             {RLIMIT_NPROC, limits.processes, false},
             {RLIMIT_FSIZE, limits.file_size, true},
             {RLIMIT_NOFILE, limits.files, true},
             {RLIMIT_CORE, 0, true},
             {RLIMIT_MEMLOCK, 0, true},
             {RLIMIT_MSGQUEUE, 0, true}};
  for (const auto& one : all)
    if (one.always || one.value != 0)
      if (int error = set_limit(one.what, one.value, one.what == RLIMIT_CPU ? 1 : 0)) return error;
  return 0;
}

int restrict_files(const BoxConfig& config, const char* writable) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* version */);
  if (abi < 1) return config.layer == Layer::kLandlock ? ENOSYS : 0;
  RulesetAttr attr{kAllAbi1, 0, 0};
  size_t size = sizeof(uint64_t);
  if (abi >= 2) attr.handled_access_fs |= kRefer;
  if (abi >= 3) attr.handled_access_fs |= kTruncate;
  if (abi >= 5) attr.handled_access_fs |= kIoctlDevice;
  if (abi >= 4) attr.handled_access_net = kNetAll, size = 2 * sizeof(uint64_t);
  if (abi >= 6) attr.scoped = kScopeAll, size = sizeof attr;
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, size, 0));
  if (ruleset < 0) return errno;
  const uint64_t read = kExecute | kReadFile | kReadDir;
  int error = 0;
  for (const std::string& path : config.read_only)
    if (error == 0) error = allow_path(ruleset, path.c_str(), read);
  const bool namespaces = config.layer == Layer::kUserNamespaces || config.layer == Layer::kRootNamespaces;
  const std::string shared = namespaces ? kSharedFolder : config.temporary + kSharedFolder;
  if (error == 0) error = allow_path(ruleset, shared.c_str(), read);
  if (error == 0 && writable != nullptr) error = allow_path(ruleset, writable, attr.handled_access_fs);
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"})
    if (error == 0) error = allow_path(ruleset, device, kReadFile | kWriteFile);
  if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) error = errno;
  if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) error = errno;
  close(ruleset);
  return error;
}

int drop_privileges(const BoxConfig& config) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  for (int cap = 0; cap <= 63; ++cap) {
    const int rc = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (rc < 0) break;
    if (rc == 1) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);  // without CAP_SETPCAP there is none to be had either
  }
  if (geteuid() == 0) {
    const auto id = static_cast<uid_t>(config.user);
    if (setgroups(0, nullptr) != 0 && errno != EPERM) return errno;
    if (setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) return errno;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  if (syscall(SYS_capset, &header, none) != 0) return errno;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return 0;
}

int load_filter(const std::string& filter) {
  std::vector<sock_filter> program(filter.size() / sizeof(sock_filter));
  std::memcpy(program.data(), filter.data(), program.size() * sizeof(sock_filter));
  const auto own = static_cast<uint32_t>(getpid());
  for (sock_filter& one : program)
    if (one.k == kOwnPid && BPF_CLASS(one.code) == BPF_JMP) one.k = own;
  const sock_fprog prog{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0 ? 0 : errno;
}

}  // namespace tenon::sandbox
