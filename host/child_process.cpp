// Starting, reading and, at the limit, killing a child.
// SPDX-License-Identifier: Apache-2.0
#include "host/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace tenon::host {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxOutput = 16 << 20;
constexpr int kPollMs = 5;

[[noreturn]] void fail(int error) {
  throw std::runtime_error(std::string("cannot start a child process: ") + std::strerror(error));
}

struct Pipe {
  int read_end = -1, write_end = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail(errno);
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close(read_end);
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_write() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments,
            const Pipe& out) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own, so that its children are killed with it
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) fail(error);
  return pid;
}

// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& output) {
  char buffer[1 << 14];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (output.size() < kMaxOutput) output.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

}  // namespace

ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                      std::chrono::milliseconds limit) {
  Pipe out;
  const pid_t pid = spawn(program, arguments, out);
  out.close_write();

  ChildResult result;
  const Clock::time_point deadline = Clock::now() + limit;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::now() >= deadline) {
      result.timed_out = true;
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    pollfd ready{out.read_end, POLLIN, 0};
    bool ended = poll(&ready, 1, kPollMs) > 0 && !drain(out.read_end, result.output);
    if (ended)
      std::this_thread::sleep_for(
          std::chrono::milliseconds(1));  // it closed its stdout and is about to exit, or hangs
  }
  // What it wrote before it ended; a process that it left behind may hold the pipe open and is not waited
  // for.
  pollfd ready{out.read_end, POLLIN, 0};
  while (poll(&ready, 1, 0) > 0 && drain(out.read_end, result.output)) {
  }
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace tenon::host
