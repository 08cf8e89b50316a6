// Starting, reaching and killing a tenon-worker.
// SPDX-License-Identifier: Apache-2.0
#include "host/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace tenon::host {

namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "tenon-worker";
// Whoever closes its socket and lives on is not waited for longer.
constexpr std::chrono::milliseconds kLastBreath{1000};
// What is written to it is taken within this, or it hangs.
constexpr timeval kSendLimit{30, 0};
// Above the numbers that the child uses, so that moving one there overwrites none that is still to be moved.
constexpr int kAboveChilds = 16;

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error("a process for a component (isolation: process): " + what + ": " +
                           std::strerror(error));
}

// A copy that children do not inherit, in place of `fd`.
int lifted(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, kAboveChilds);
  if (copy < 0) fail("a descriptor", errno);
  ::close(fd);
  return copy;
}

// tenon-worker, and a descriptor of it.
struct Program {
  fs::path path;
  int descriptor = -1;
};

const Program& the_program() {
  static const Program found = [] {
    std::error_code error;
    const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    const fs::path beside = folder / kProgram, in_bin = folder.parent_path() / "bin" / kProgram;
    for (const fs::path& path : {beside, in_bin}) {
      if (::access(path.c_str(), X_OK) != 0) continue;
      const int descriptor = ::open(path.c_str(), O_PATH | O_CLOEXEC);
      if (descriptor < 0) fail(path.string(), errno);
      return Program{path, lifted(descriptor)};
    }
    throw std::runtime_error("isolation: process needs the program " + beside.string() +
                             ", which is not there: install it beside tenon");
  }();
  return found;
}

int spawn(const Program& program, int socket, int memory) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  // What a plugin prints is no result of tenon's.
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
  posix_spawn_file_actions_adddup2(&actions, memory, kWorkerMemory);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C is for tenon, and its children are killed with it.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  char* argv[] = {const_cast<char*>(program.path.c_str()), nullptr};
  pid_t pid = -1;
  const std::string file = "/proc/self/fd/" + std::to_string(program.descriptor);
  const int error = ::posix_spawn(&pid, file.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) fail(program.path.string(), error);
  return pid;
}

}  // namespace

const fs::path& WorkerProcess::program() {
  return the_program().path;
}

WorkerProcess::WorkerProcess() {
  const Program& program = the_program();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("a socket", errno);
  socket_ = ends[0];
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &kSendLimit, sizeof kSendLimit);
  int childs = ends[1];
  try {
    childs = lifted(childs);
    memory_fd_ = ::memfd_create(kProgram, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    // Whoever shrinks it would end tenon, at its next look into what is gone.
    if (memory_fd_ < 0 || ::fcntl(memory_fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
      fail("shared memory", errno);
    memory_fd_ = lifted(memory_fd_);
    pid_ = spawn(program, childs, memory_fd_);
  } catch (...) {
    for (int fd : {socket_, childs, memory_fd_})
      if (fd >= 0) ::close(fd);
    throw;
  }
  ::close(childs);
  death_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));  // -1 on systems before Linux 5.3
}

WorkerProcess::~WorkerProcess() {
  end();
  for (int fd : {socket_, death_, memory_fd_})
    if (fd >= 0) ::close(fd);
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

unsigned char* WorkerProcess::memory(uint64_t bytes) {
  if (bytes <= memory_bytes_) return memory_;
  const uint64_t size = std::max<uint64_t>(2 * memory_bytes_, (bytes + 0xFFFFF) & ~uint64_t{0xFFFFF});
  if (::ftruncate(memory_fd_, static_cast<off_t>(size)) != 0) fail("shared memory", errno);
  void* at = memory_ == nullptr ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd_, 0)
                                : ::mremap(memory_, memory_bytes_, size, MREMAP_MAYMOVE);
  if (at == MAP_FAILED) fail("shared memory", errno);
  memory_ = static_cast<unsigned char*>(at), memory_bytes_ = size;
  return memory_;
}

bool WorkerProcess::send(const Frame& frame) {
  try {
    is_gone_ = !send_frame(socket_, frame);
  } catch (const std::runtime_error& e) {
    is_gone_ = true;
    fault_ = e.what();
  }
  return !is_gone_;
}

ssize_t WorkerProcess::read_some() {
  char bytes[65536];
  ssize_t got = 0;
  while ((got = ::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT)) < 0 && errno == EINTR) {
  }
  if (got > 0) unread_.append(bytes, static_cast<size_t>(got));
  return got;
}

WorkerProcess::Wait WorkerProcess::receive(std::optional<Clock::time_point> until, Frame& frame) {
  while (true) {
    if (receive_rest(frame)) return Wait::kFrame;
    if (!fault_.empty() || is_gone_) return Wait::kGone;
    int left = -1;
    if (until) {
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
      if (ms <= 0) return Wait::kLate;
      left = static_cast<int>(std::min<int64_t>(ms, 1 << 30));
    }
    // A process that it has left behind may hold its end of the socket: its death is watched, too.
    pollfd wait[] = {{socket_, POLLIN, 0}, {death_, POLLIN, 0}};
    const int ready = ::poll(wait, 2, left);
    if (ready < 0 && errno != EINTR) fail("waiting for it", errno);
    if (ready <= 0) continue;
    const ssize_t got = read_some();
    const bool is_closed = got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    is_gone_ = is_closed || wait[1].revents != 0;
  }
}

bool WorkerProcess::receive_rest(Frame& frame) {
  if (!fault_.empty()) return false;
  try {
    std::optional<Frame> got = take_frame(unread_);
    while (!got && is_gone_ && read_some() > 0) got = take_frame(unread_);
    if (got) frame = std::move(*got);
    return got.has_value();
  } catch (const std::runtime_error& e) {
    fault_ = e.what();
    return false;
  }
}

bool WorkerProcess::has_ended() const {
  siginfo_t info{};
  return pid_ < 0 || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid != 0;
}

void WorkerProcess::kill_group() const {
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
}

bool WorkerProcess::reap(int& status) const {
  const auto until = Clock::now() + kDeathLimit;
  while (true) {
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got > 0 || (got < 0 && errno != EINTR)) return true;
    if (Clock::now() >= until) return false;
    pollfd wait{death_, POLLIN, 0};
    ::poll(&wait, 1, death_ >= 0 ? 100 : 1);
  }
}

std::string WorkerProcess::end() {
  if (pid_ < 0) return "it was killed";
  // A process that dies closes its descriptors before it can be waited for.
  const auto patience = Clock::now() + (is_gone_ && fault_.empty() ? kLastBreath : kLastBreath * 0);
  while (!has_ended() && Clock::now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const bool by_itself = has_ended();
  kill_group();
  int status = 0;
  const bool is_dead = reap(status);
  pid_ = -1;
  is_gone_ = true;
  if (!fault_.empty()) return fault_;
  if (!is_dead) return "it was killed, and has not ended " + std::to_string(kDeathLimit.count()) + " s later";
  if (!by_itself) return "it was killed";
  return WIFSIGNALED(status)
             ? std::string("its process was killed by signal ") + std::to_string(WTERMSIG(status)) + " (" +
                   ::strsignal(WTERMSIG(status)) + ")"
             : "its process ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace tenon::host
