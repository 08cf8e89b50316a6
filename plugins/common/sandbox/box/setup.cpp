// Walls: namespaces, a root folder of read-only mounts, a user id without rights.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"

namespace tenon::sandbox {

namespace {

constexpr uid_t kInsideUser = 1000;  // what the box's user id is called inside a user namespace
constexpr const char* kRoot =
    "/tmp";  // the new root is built over this folder, in a mount namespace of its own

bool has_user_namespace(const BoxConfig& config) {
  return config.layer == Layer::kUserNamespaces;
}

bool write_text(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return ok;
}

void make_folders(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    mkdir(path.substr(0, at).c_str(), 0755);
}

// An ABI of the kernel's since 5.12; glibc 2.36 knows it, older C libraries do not.
struct MountAttr {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};
constexpr uint64_t kAttrReadOnly = 1, kAttrNoSuid = 2;
bool make_read_only(const char* path) {
  const MountAttr attr{kAttrReadOnly | kAttrNoSuid, 0, 0, 0};
  return syscall(442 /* mount_setattr */, AT_FDCWD, path, 0x8000 /* AT_RECURSIVE */, &attr, sizeof attr) == 0;
}

// What is to appear in the new root, opened before the new root hides it.
struct Source {
  std::string path, link;  // link: where a symbolic link points
  int fd = -1;
  bool folder = false, device = false;
};

std::vector<Source> open_sources(const BoxConfig& config) {
  std::vector<Source> all;
  auto add = [&](const std::string& path, bool device) {
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0) return;
    Source s;
    s.path = path;
    s.device = device;
    if (S_ISLNK(st.st_mode)) {
      char to[4096];
      const ssize_t n = readlink(path.c_str(), to, sizeof to);
      if (n <= 0) return;
      s.link.assign(to, static_cast<size_t>(n));
    } else {
      s.folder = S_ISDIR(st.st_mode);
      s.fd = open(path.c_str(), O_PATH | O_CLOEXEC);
      if (s.fd < 0) return;
    }
    all.push_back(std::move(s));
  };
  for (const std::string& path : config.read_only) add(path, false);
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"})
    add(device, true);
  return all;
}

void show(const Source& s) {
  const std::string target = kRoot + s.path;
  make_folders(target);
  if (!s.link.empty()) {
    if (symlink(s.link.c_str(), target.c_str()) != 0 && errno != EEXIST) die("symbolic link in the new root");
    return;
  }
  if (s.folder)
    mkdir(target.c_str(), 0755);
  else
    close(open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  const std::string from = "/proc/self/fd/" + std::to_string(s.fd);
  if (mount(from.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    die(("bind mount of " + s.path).c_str());
  if (!s.device && !make_read_only(target.c_str())) die(("read-only mount of " + s.path).c_str());
  close(s.fd);
}

void new_root(const BoxConfig& config) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die("private mounts");
  const std::vector<Source> sources = open_sources(config);
  if (mount("tmpfs", kRoot, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755") != 0)
    die("tmpfs for the new root");
  umask(022);  // folders that the box's user passes through
  for (const Source& s : sources) show(s);
  for (const char* folder : {"/tmp/work", "/tmp/shared", "/tmp/tmp"}) mkdir(folder, 0755);
  if (!mount_memory(config, "/tmp/shared", config.shared_bytes, 64)) die("tmpfs for the shared folder");
  umask(077);
  if (chdir(kRoot) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) die("pivot_root");
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) die("leaving the old root");
  if (mount(nullptr, "/", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    die("read-only root");
}

void wait_for_maps(int map_ready, int map_done) {
  char byte = 0;
  if (write(map_ready, "u", 1) != 1 || read(map_done, &byte, 1) != 1 || byte != 'y') {
    errno = EPERM;
    die("user id map");
  }
}

}  // namespace

void die(const char* what) {
  char text[512];
  const int error = errno;
  const int n = snprintf(text, sizeof text, "%s: %s\n", what, error != 0 ? strerror(error) : "failed");
  if (write(2, text, static_cast<size_t>(n)) < 0) _exit(121);
  _exit(120);
}

bool mount_memory(const BoxConfig& config, const char* folder, uint64_t bytes, uint64_t files) {
  const auto user = has_user_namespace(config) ? kInsideUser : static_cast<uid_t>(config.user);
  char options[128];
  snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=700,uid=%u,gid=%u",
           static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(files), user, user);
  mkdir(folder, 0755);
  return mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

bool write_id_maps(const BoxConfig& config, pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const bool root = geteuid() == 0;
  const std::string user = std::to_string(root ? config.user : geteuid()),
                    group = std::to_string(root ? config.user : getegid());
  const std::string inside = std::to_string(kInsideUser) + " ";
  if (!root) write_text(proc + "/setgroups", "deny");
  return write_text(proc + "/gid_map", inside + group + " 1\n") &&
         write_text(proc + "/uid_map", inside + user + " 1\n");
}

void enter_box(const BoxConfig& config, int map_ready, int map_done) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (const std::string& folder : config.cgroups)
    if (!write_text(folder + "/cgroup.procs", "0")) die(("entering " + folder).c_str());
  if (config.layer == Layer::kLandlock || config.layer == Layer::kSeccomp) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    return;
  }
  const bool user = has_user_namespace(config);
  const int rest = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  if (user) {
    if (unshare(CLONE_NEWUSER) != 0) die("user namespace");
    wait_for_maps(map_ready, map_done);
    setgroups(0, nullptr);  // refused where the map is one's own: then there is nothing to be had from groups
    if (setresgid(kInsideUser, kInsideUser, kInsideUser) != 0 ||
        setresuid(kInsideUser, kInsideUser, kInsideUser) != 0)
      die("user id of the box");
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // changing ids has cleared it, and /proc/self/fd is needed below
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // changing ids has cleared it
  if (unshare(rest) != 0) die("namespaces");
  unshare(CLONE_NEWCGROUP);  // nothing depends on it: no cgroup file system is in sight
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child > 0) {
    close(kControlFd);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 122);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  new_root(config);
  if (sethostname("box", 3) != 0) die("host name");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace tenon::sandbox
