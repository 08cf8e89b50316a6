// Allow-lists, taken from what CPython 3.11, g++ 12 and their programs call (strace), built once with libseccomp.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

#include "sandbox/protocol.h"

namespace tenon::sandbox {

namespace {

constexpr const char* kCompute[] = {"read",
                                    "write",
                                    "readv",
                                    "writev",
                                    "pread64",
                                    "pwrite64",
                                    "preadv",
                                    "lseek",
                                    "close",
                                    "close_range",
                                    "fstat",
                                    "stat",
                                    "lstat",
                                    "newfstatat",
                                    "statx",
                                    "access",
                                    "faccessat",
                                    "faccessat2",
                                    "readlink",
                                    "readlinkat",
                                    "getcwd",
                                    "getdents64",
                                    "dup",
                                    "dup2",
                                    "dup3",
                                    "pipe",
                                    "pipe2",
                                    "poll",
                                    "ppoll",
                                    "select",
                                    "pselect6",
                                    "epoll_create1",
                                    "epoll_ctl",
                                    "epoll_wait",
                                    "epoll_pwait",
                                    "eventfd2",
                                    "fadvise64",
                                    "mmap",
                                    "mprotect",
                                    "munmap",
                                    "mremap",
                                    "madvise",
                                    "brk",
                                    "mincore",
                                    "membarrier",
                                    "rt_sigaction",
                                    "rt_sigprocmask",
                                    "rt_sigreturn",
                                    "rt_sigsuspend",
                                    "rt_sigtimedwait",
                                    "rt_sigpending",
                                    "sigaltstack",
                                    "futex",
                                    "sched_yield",
                                    "sched_getaffinity",
                                    "sched_getparam",
                                    "sched_getscheduler",
                                    "sched_get_priority_max",
                                    "sched_get_priority_min",
                                    "nanosleep",
                                    "clock_nanosleep",
                                    "clock_gettime",
                                    "clock_getres",
                                    "gettimeofday",
                                    "time",
                                    "times",
                                    "getitimer",
                                    "setitimer",
                                    "alarm",
                                    "pause",
                                    "timer_create",
                                    "timer_settime",
                                    "timer_delete",
                                    "getrusage",
                                    "getrlimit",
                                    "getpid",
                                    "gettid",
                                    "getppid",
                                    "getuid",
                                    "geteuid",
                                    "getgid",
                                    "getegid",
                                    "getgroups",
                                    "getresuid",
                                    "getresgid",
                                    "getpgrp",
                                    "getpgid",
                                    "getsid",
                                    "uname",
                                    "sysinfo",
                                    "getrandom",
                                    "getcpu",
                                    "exit",
                                    "exit_group",
                                    "set_tid_address",
                                    "set_robust_list",
                                    "arch_prctl",
                                    "restart_syscall",
                                    "rseq",
                                    "execve",
                                    "execveat",
                                    "wait4",
                                    "waitid",
                                    "umask"};

// Programs ask for these in good faith, or to see whether they may.
constexpr const char* kRefused[] = {"socket",
                                    "socketpair",
                                    "connect",
                                    "bind",
                                    "listen",
                                    "accept",
                                    "accept4",
                                    "sendto",
                                    "recvfrom",
                                    "sendmsg",
                                    "recvmsg",
                                    "getsockname",
                                    "getpeername",
                                    "setsockopt",
                                    "getsockopt",
                                    "shutdown",
                                    "creat",
                                    "mkdir",
                                    "mkdirat",
                                    "rmdir",
                                    "unlink",
                                    "unlinkat",
                                    "rename",
                                    "renameat",
                                    "renameat2",
                                    "link",
                                    "linkat",
                                    "symlink",
                                    "symlinkat",
                                    "chmod",
                                    "fchmod",
                                    "fchmodat",
                                    "chown",
                                    "fchown",
                                    "lchown",
                                    "fchownat",
                                    "truncate",
                                    "ftruncate",
                                    "fallocate",
                                    "utime",
                                    "utimes",
                                    "utimensat",
                                    "futimesat",
                                    "mknod",
                                    "mknodat",
                                    "fork",
                                    "vfork",
                                    "kill",
                                    "tkill",
                                    "setpgid",
                                    "setsid",
                                    "setuid",
                                    "setgid",
                                    "setresuid",
                                    "setresgid",
                                    "setgroups",
                                    "setpriority",
                                    "getpriority",
                                    "sched_setaffinity",
                                    "sched_setscheduler",
                                    "setrlimit",
                                    "chdir",
                                    "fchdir",
                                    "chroot",
                                    "mount",
                                    "umount2",
                                    "unshare",
                                    "setns",
                                    "ptrace",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "memfd_create",
                                    "flock",
                                    "fsync",
                                    "fdatasync",
                                    "sync",
                                    "mlock",
                                    "mlock2",
                                    "mlockall",
                                    "munlock",
                                    "inotify_init1",
                                    "personality",
                                    "capset",
                                    "capget",
                                    "shmget",
                                    "semget",
                                    "msgget",
                                    "getxattr",
                                    "lgetxattr",
                                    "statfs",
                                    "fstatfs",
                                    "msync",
                                    "signalfd4",
                                    "timerfd_create",
                                    "sched_getattr",
                                    "pidfd_open",
                                    "seccomp",
                                    "quotactl"};

// The kernel may lack these, so that libraries have another way.
constexpr const char* kAbsent[] = {"clone3",          "pkey_alloc",  "io_uring_setup",         "openat2",
                                   "copy_file_range", "futex_waitv", "landlock_create_ruleset"};

constexpr const char* kBuildBesides[] = {"fork",
                                         "vfork",
                                         "mkdir",
                                         "mkdirat",
                                         "rmdir",
                                         "unlink",
                                         "unlinkat",
                                         "rename",
                                         "renameat",
                                         "renameat2",
                                         "symlink",
                                         "symlinkat",
                                         "link",
                                         "linkat",
                                         "chmod",
                                         "fchmod",
                                         "fchmodat",
                                         "ftruncate",
                                         "truncate",
                                         "fallocate",
                                         "utimensat",
                                         "utimes",
                                         "utime",
                                         "chdir",
                                         "fchdir",
                                         "flock",
                                         "fsync",
                                         "statfs",
                                         "fstatfs",
                                         "creat",
                                         "sched_setaffinity",
                                         "msync",
                                         "getpriority",
                                         "sendto",
                                         "recvfrom",
                                         "sendmsg",
                                         "recvmsg",
                                         "shutdown"};

// Kills the process instead of sending SIGSYS: no handler of the program's runs. Owns the libseccomp context.
class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release) {
    if (!context_) throw std::runtime_error("libseccomp gives no filter for this architecture");
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
          "calls of other architectures");
  }
  // Of calls that this architecture does not have nothing is said.
  void rule(uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> args = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) return;
    check(seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(args.size()),
                                 args.begin()),
          name);
  }
  void allow(const char* name, std::initializer_list<scmp_arg_cmp> args = {}) {
    rule(SCMP_ACT_ALLOW, name, args);
  }
  void refuse(const char* name, std::initializer_list<scmp_arg_cmp> args = {}) {
    rule(SCMP_ACT_ERRNO(EPERM), name, args);
  }

  std::string bytes() {
    const int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0) throw std::runtime_error("memfd_create failed");
    const int rc = seccomp_export_bpf(context_.get(), fd);
    std::string out(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    const bool read_all = pread(fd, out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
    close(fd);
    if (rc != 0 || !read_all) throw std::runtime_error("the system-call filter cannot be written");
    return out;
  }

 private:
  static void check(int rc, const char* what) {
    if (rc != 0)
      throw std::runtime_error(std::string("system-call filter, ") + what + ": " + std::to_string(rc));
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
};

scmp_arg_cmp masked(unsigned arg, uint64_t mask, uint64_t value) {
  return {arg, SCMP_CMP_MASKED_EQ, mask, value};
}
scmp_arg_cmp equal(unsigned arg, uint64_t value) {
  return {arg, SCMP_CMP_EQ, value, 0};
}

// A new thread: these flags all together, and no new namespace.
constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
constexpr uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

void common(Filter& f) {
  for (const char* name : kCompute) f.allow(name);
  for (const char* name : kAbsent) f.rule(SCMP_ACT_ERRNO(ENOSYS), name);
  for (uint64_t command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL})
    f.allow("fcntl", {equal(1, command)});
  f.allow("prlimit64", {equal(0, 0), equal(2, 0)});  // reading one's own limits
  f.allow("tgkill", {equal(0, kOwnPid)});
  for (uint64_t option : {uint64_t{PR_SET_NAME}, uint64_t{PR_GET_NAME}, uint64_t{0x53564d41} /* PR_SET_VMA */,
                          uint64_t{PR_GET_DUMPABLE}})
    f.allow("prctl", {equal(0, option)});
}

// Locks and leases, devices, limits and tracing of others: refused. libseccomp wants no rule twice, so each condition stands against the allowed ones.
void refuse_rest(Filter& f) {
  constexpr uint64_t commands[] = {F_SETLK,      F_SETLKW,     F_GETLK,     F_SETOWN,    F_GETOWN,
                                   F_SETSIG,     F_GETSIG,     F_SETLEASE,  F_GETLEASE,  F_NOTIFY,
                                   F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, F_OFD_SETLK,
                                   F_OFD_SETLKW, F_OFD_GETLK};
  for (uint64_t command : commands) f.refuse("fcntl", {equal(1, command)});
  // The two that do what fcntl may do as well, for libuv has no other way; the rest as of what is no terminal.
  constexpr uint64_t kBoth = FIOCLEX & FIONBIO, kEither = FIOCLEX ^ FIONBIO, kWord = 0xffffffff;
  for (uint64_t command : {FIOCLEX, FIONBIO}) f.allow("ioctl", {masked(1, kWord, command)});
  for (uint64_t bit = 1; bit < kWord; bit <<= 1)
    if ((kEither & bit) == 0) f.rule(SCMP_ACT_ERRNO(ENOTTY), "ioctl", {masked(1, bit, ~kBoth & bit)});
  for (uint64_t part = kEither;; part = (part - 1) & kEither) {
    if (part != (FIOCLEX & kEither) && part != (FIONBIO & kEither))
      f.rule(SCMP_ACT_ERRNO(ENOTTY), "ioctl", {masked(1, kEither, part)});
    if (part == 0) break;
  }
  f.refuse("tgkill", {{0, SCMP_CMP_NE, kOwnPid, 0}});
  f.refuse("prlimit64", {{0, SCMP_CMP_NE, 0, 0}});
  f.refuse("prlimit64", {equal(0, 0), {2, SCMP_CMP_NE, 0, 0}});
  for (uint64_t option : {PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS,
                          PR_SET_PTRACER, PR_CAPBSET_READ, PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS})
    f.refuse("prctl", {equal(0, option)});
}

}  // namespace

std::string run_filter() {
  Filter f;
  common(f);
  for (const char* name : kRefused) f.refuse(name);
  refuse_rest(f);
  // Reading only. O_TMPFILE wants a write mode, so O_ACCMODE and O_CREAT say it all; O_TRUNC changes a file that is opened for reading.
  constexpr uint64_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
  for (auto [name, arg] : {std::pair{"open", 1u}, std::pair{"openat", 2u}}) {
    f.allow(name, {masked(arg, kWriting, O_RDONLY)});
    for (uint64_t bit : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC}) f.refuse(name, {masked(arg, bit, bit)});
  }
  f.allow("clone", {masked(0, kThread | kNamespaces, kThread)});
  f.refuse("clone", {masked(0, CLONE_THREAD, 0)});
  return f.bytes();
}

std::string build_filter(bool may_change_modes) {
  const auto is_of_modes = [](std::string_view name) {
    return name == "chmod" || name == "fchmodat" || name == "utime" || name == "utimes" ||
           name == "utimensat";
  };
  Filter f;
  common(f);
  for (const char* name : kBuildBesides)
    if (may_change_modes || !is_of_modes(name)) f.allow(name);
  for (std::string_view name : kRefused) {
    bool allowed = name == "socketpair";
    for (const char* other : kBuildBesides)
      allowed |= name == other && (may_change_modes || !is_of_modes(name));
    if (!allowed) f.refuse(name.data());
  }
  // Of a pair of datagram sockets each may send to any address.
  constexpr uint64_t kType = 0xf;
  f.allow("socketpair", {masked(1, kType, SOCK_STREAM)});
  for (uint64_t type : {SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET})
    f.refuse("socketpair", {masked(1, kType, type)});
  refuse_rest(f);
  f.allow("open");
  f.allow("openat");
  f.allow("clone", {masked(0, kNamespaces, 0)});
  for (uint64_t bit :
       {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP})
    f.refuse("clone", {masked(0, bit, bit)});
  return f.bytes();
}

}  // namespace tenon::sandbox
