// Runs programs as the judge says: one process for a run, a process tree in a folder of its own for a build.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"

namespace tenon::sandbox {

namespace {

constexpr int kParkedFds = 100;  // descriptors wait from here on until 0, 1, 2… are free

bool has_namespaces(const BoxConfig& c) {
  return c.layer == Layer::kUserNamespaces || c.layer == Layer::kRootNamespaces;
}

struct Message {
  BoxJob job;
  std::vector<int> fds;  // [0] status, then as BoxJob says
};

struct Running {
  pid_t pid;
  int status;  // socket to the judge; its end closed: the job is to be killed
  bool is_build;
  std::string folder;  // to be removed afterwards, or empty
  bool killed = false;
};

// With write, which every filter allows. A judge that is gone needs no report.
void report(int status, const JobReport& what) {
  if (write(status, &what, sizeof what) < 0) return;
}

[[noreturn]] void fail(int status, BoxStep step, int error) {
  JobReport r;
  r.error = error != 0 ? error : EINVAL;
  r.step = static_cast<uint32_t>(step);
  report(status, r);
  _exit(127);
}

JobReport report_of(int status, const rusage& used) {
  JobReport r;
  r.status = status;
  r.cpu_us = static_cast<uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
             static_cast<uint64_t>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  r.peak_kib = static_cast<uint64_t>(used.ru_maxrss);
  r.preempted = static_cast<uint64_t>(used.ru_nivcsw);
  return r;
}

// The descriptors of a message, moved away from the low numbers; everything else is closed.
std::vector<int> park(const std::vector<int>& fds) {
  std::vector<int> parked;
  for (int fd : fds) parked.push_back(fcntl(fd, F_DUPFD_CLOEXEC, kParkedFds));
  unsigned from = 0;  // they rise, for each is the lowest that is free
  for (int fd : parked) {
    if (fd < 0) continue;
    if (static_cast<unsigned>(fd) > from) close_range(from, static_cast<unsigned>(fd) - 1, 0);
    from = static_cast<unsigned>(fd) + 1;
  }
  close_range(from, ~0U, 0);
  return parked;
}

// Turns this process into the program. `fds` are parked.
[[noreturn]] void become(const BoxConfig& config, const Message& m, const std::vector<int>& fds,
                         const char* writable) {
  const int status = fds[0];
  for (uint64_t k = 0; k < m.job.standard; ++k)
    if (dup2(fds[1 + k], static_cast<int>(k)) < 0) fail(status, BoxStep::kExec, errno);
  std::vector<char*> argv, environment;
  for (const std::string& s : m.job.argv) argv.push_back(const_cast<char*>(s.c_str()));
  for (const std::string& s : m.job.environment) environment.push_back(const_cast<char*>(s.c_str()));
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  const bool filtered = m.job.policy != Policy::kFork;
  const std::string& filter = m.job.policy == Policy::kRun ? config.run_filter : config.build_filter;
  umask(077);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // A user namespace of its own, where the box is one: threads are then counted by themselves (Linux 5.14), and no other program of the box runs out of them.
  // The capabilities that come with it go below. Without it they are counted together.
  if (config.layer == Layer::kUserNamespaces && filtered) unshare(CLONE_NEWUSER);
  if (int error = set_limits(m.job.limits)) fail(status, BoxStep::kLimits, error);
  if (config.layer != Layer::kSeccomp)
    if (int error = restrict_files(config, writable)) fail(status, BoxStep::kLandlock, error);
  if (int error = drop_privileges(config)) fail(status, BoxStep::kPrivileges, error);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // changing ids has cleared it
  if (filtered)
    if (int error = load_filter(filter)) fail(status, BoxStep::kFilter, error);
  if (m.job.exec_fd)
    execveat(fds[1 + m.job.standard], "", argv.data(), environment.data(), AT_EMPTY_PATH);
  else
    execve(argv[0], argv.data(), environment.data());
  fail(status, BoxStep::kExec, errno);
}

bool copy(int from, int to, uint64_t most) {
  char block[65536];
  for (uint64_t at = 0;;) {
    const ssize_t n = pread(from, block, sizeof block, static_cast<off_t>(at));
    if (n == 0) return true;
    if (n < 0 || at + static_cast<uint64_t>(n) > most) return false;
    for (ssize_t done = 0; done < n;) {
      const ssize_t w = write(to, block + done, static_cast<size_t>(n - done));
      if (w <= 0) return false;
      done += w;
    }
    at += static_cast<uint64_t>(n);
  }
}

int bring_in(const BoxConfig& config, const Message& m, const std::vector<int>& fds) {
  for (size_t k = 0; k < m.job.inputs.size(); ++k) {
    const int to = open(m.job.inputs[k].c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (to < 0) return errno;
    if (geteuid() == 0 && fchown(to, static_cast<uid_t>(config.user), static_cast<gid_t>(config.user)) != 0)
      return errno;
    const bool ok = copy(fds[1 + m.job.standard + (m.job.exec_fd ? 1 : 0) + k], to, UINT64_MAX);
    close(to);
    if (!ok) return EIO;
  }
  return 0;
}

// Copies what the program made. It may be anything by name: only a plain file counts.
int take_out(const Message& m, const std::vector<int>& fds) {
  for (size_t k = 0; k < m.job.outputs.size(); ++k) {
    const int from = open(m.job.outputs[k].c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st {};
    if (from < 0) return errno;
    if (fstat(from, &st) != 0 || !S_ISREG(st.st_mode)) return EINVAL;
    const bool ok = copy(from, fds[1 + m.job.standard + (m.job.exec_fd ? 1 : 0) + m.job.inputs.size() + k],
                         m.job.output_bytes);
    close(from);
    if (!ok) return EFBIG;
  }
  return 0;
}

// The program's parent, in the work folder: init of the build's pid namespace where there is one. Reports, and takes everything with it.
[[noreturn]] void tend(const BoxConfig& config, const Message& m, const std::vector<int>& fds,
                       const char* folder) {
  const int status = fds[0];
  if (int error = bring_in(config, m, fds)) fail(status, BoxStep::kInput, error);
  const pid_t program = fork();
  if (program < 0) fail(status, BoxStep::kFork, errno);
  if (program == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    become(config, m, fds, folder);
  }
  int ended = 0;
  rusage used{};
  for (pid_t pid = -1; pid != program;) pid = wait4(-1, &ended, 0, &used);
  JobReport r = report_of(ended, used);
  if (ended == 0)
    if (int error = take_out(m, fds)) r.error = error, r.step = static_cast<uint32_t>(BoxStep::kOutput);
  report(status, r);
  if (!has_namespaces(config)) kill(0, SIGKILL);
  _exit(0);
}

// The first process of a build.
[[noreturn]] void build(const BoxConfig& config, const Message& m, const std::string& folder) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const std::vector<int> fds = park(m.fds);
  const int status = fds[0];
  for (int fd : {0, 1, 2})
    if (open("/dev/null", O_RDWR) != fd) fail(status, BoxStep::kWorkFolder, errno);
  if (m.job.prepare || !has_namespaces(config)) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (chdir(folder.c_str()) != 0) fail(status, BoxStep::kWorkFolder, errno);
    tend(config, m, fds, folder.c_str());
  }
  if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC) != 0) fail(status, BoxStep::kWorkFolder, errno);
  // What prepare jobs have made is for everybody: no build changes it, be there Landlock or not.
  if (mount(nullptr, kSharedFolder, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
            nullptr) != 0)
    fail(status, BoxStep::kWorkFolder, errno);
  if (!mount_memory(config, kWorkFolder, config.work_bytes, config.work_files) || chdir(kWorkFolder) != 0)
    fail(status, BoxStep::kWorkFolder, errno);
  const pid_t init = fork();
  if (init < 0) fail(status, BoxStep::kFork, errno);
  if (init == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    tend(config, m, fds, kWorkFolder);
  }
  int ended = 0;
  while (waitpid(init, &ended, 0) < 0 && errno == EINTR) {
  }
  _exit(0);
}

class Server {
 public:
  explicit Server(const BoxConfig& config) : config_(config) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    signals_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) die("signalfd");
    if (!has_namespaces(config_) && !make_folder(config_.temporary + kSharedFolder)) die("folder of the box");
  }

  [[noreturn]] void loop() {
    report(kControlFd, JobReport{});  // ready
    for (;;) {
      std::vector<pollfd> wait{{kControlFd, POLLIN, 0}, {signals_, POLLIN, 0}};
      for (const Running& r : jobs_) wait.push_back({r.killed ? -1 : r.status, POLLIN, 0});
      if (poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) die("poll");
      for (size_t k = 0; k < jobs_.size(); ++k)
        if (wait[2 + k].revents != 0) stop(jobs_[k]);
      if (wait[1].revents != 0) reap();
      if (wait[0].revents != 0) take();
    }
  }

 private:
  // False: errno says why.
  bool make_folder(const std::string& path) {
    return mkdir(path.c_str(), 0700) == 0 &&
           (geteuid() != 0 ||
            chown(path.c_str(), static_cast<uid_t>(config_.user), static_cast<gid_t>(config_.user)) == 0);
  }
  static void stop(Running& r) {
    r.killed = true;
    kill(r.is_build ? -r.pid : r.pid, SIGKILL);
    kill(r.pid, SIGKILL);
  }
  void reap() {
    signalfd_siginfo info{};
    while (read(signals_, &info, sizeof info) > 0) {
    }
    int status = 0;
    rusage used{};
    for (pid_t pid = 0; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;)
      for (size_t k = 0; k < jobs_.size(); ++k) {
        if (jobs_[k].pid != pid) continue;
        // A build reports itself, unless it was killed; what its processes used is then not known.
        if (!jobs_[k].is_build || jobs_[k].killed) {
          JobReport r = report_of(status, used);
          r.is_unmeasured = jobs_[k].is_build ? 1 : 0;
          report(jobs_[k].status, r);
        }
        if (jobs_[k].is_build) kill(-pid, SIGKILL);
        close(jobs_[k].status);
        if (!jobs_[k].folder.empty()) remove_folder(jobs_[k].folder);
        jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(k));
        break;
      }
  }
  [[noreturn]] void leave() {
    for (Running& r : jobs_) stop(r);
    // Where this is the init of the box, its end is everybody's.
    while (!has_namespaces(config_) && wait4(-1, nullptr, 0, nullptr) > 0) {
    }
    _exit(0);
  }
  void take() {
    static char bytes[kMaxMessage];
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
    iovec io{bytes, sizeof bytes};
    msghdr header{};
    header.msg_iov = &io;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(kControlFd, &header, MSG_CMSG_CLOEXEC);
    if (n <= 0) leave();
    Message m;
    for (const cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr;
         c = CMSG_NXTHDR(&header, const_cast<cmsghdr*>(c)))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        for (size_t at = CMSG_LEN(0); at < c->cmsg_len; at += sizeof(int)) {
          int fd = -1;
          std::memcpy(&fd, reinterpret_cast<const char*>(c) + at, sizeof fd);
          m.fds.push_back(fd);
        }
    if (!m.job.unpack(bytes, static_cast<size_t>(n))) leave();
    // Descriptors that found no place here are missing from the message.
    if (m.fds.size() == descriptors_of(m.job))
      start(m);
    else
      refuse(m, EMFILE);
    for (size_t k = 1; k < m.fds.size(); ++k) close(m.fds[k]);
  }
  static size_t descriptors_of(const BoxJob& job) {
    return 1 + job.standard + (job.exec_fd ? 1 : 0) + job.inputs.size() + job.outputs.size();
  }
  // Reports a job that cannot be started.
  static void refuse(const Message& m, int error) {
    if (m.fds.empty()) return;
    JobReport r;
    r.error = error;
    r.step = static_cast<uint32_t>(BoxStep::kFork);
    report(m.fds[0], r);
    close(m.fds[0]);
  }
  void start(const Message& m) {
    const bool is_build = m.job.policy == Policy::kBuild;
    std::string folder, own;
    if (is_build && m.job.prepare)
      folder = has_namespaces(config_) ? kSharedFolder : config_.temporary + kSharedFolder;
    else if (is_build && !has_namespaces(config_))
      own = folder = config_.temporary + "/work-" + std::to_string(++count_);
    if (!own.empty() && !make_folder(own)) return refuse(m, errno);
    const pid_t pid = fork();
    if (pid < 0) {
      refuse(m, errno);
      if (!own.empty()) remove_folder(own);
      return;
    }
    if (pid == 0) {
      if (is_build) build(config_, m, folder);
      prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      become(config_, m, park(m.fds), nullptr);
    }
    if (is_build) setpgid(pid, pid);  // here and in the child: whoever comes first
    jobs_.push_back({pid, m.fds[0], is_build, own});
  }

  const BoxConfig& config_;
  int signals_ = -1;
  uint64_t count_ = 0;
  std::vector<Running> jobs_;
};

}  // namespace

void serve(const BoxConfig& config) {
  Server(config).loop();
}

}  // namespace tenon::sandbox
