// The child process of a Python reward.
// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "tenon/abi.h"
#include "tenon/error.hpp"
#include "worker_script.h"

extern char** environ;

namespace tenon::python {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

namespace {

// What the child finds at these numbers.
constexpr int kCommands = 3, kAnswers = 4, kMemory = 5, kLife = 6;

[[noreturn]] void fail(const std::string& what) {
  throw Error(TENON_E_IO, what + ": " + std::strerror(errno));
}

// Both ends are closed in children that are not meant to have them.
struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("a pipe to the worker");
    read = ends[0], write = ends[1];
  }
  int read, write;
};

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  // High copies first, as a descriptor that is to be moved may stand where another is to go.
  void move(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// A copy above all numbers that the child uses.
int lifted(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 16);
  if (copy < 0) fail("a descriptor of the worker");
  ::close(fd);
  return copy;
}

std::string python_error(const json::value& answer) {
  const json::object* object = answer.if_object();
  const json::value* error = object != nullptr ? object->if_contains("error") : nullptr;
  return error != nullptr && error->is_string() ? std::string(error->get_string()) : "";
}

}  // namespace

Worker::Worker(std::string interpreter, std::string file, std::string function)
    : interpreter_(std::move(interpreter)), file_(std::move(file)), function_(std::move(function)) {}

Worker::~Worker() {
  stop();
  if (memory_ != nullptr) ::munmap(memory_, capacity_);
  if (memory_fd_ >= 0) ::close(memory_fd_);
}

void Worker::stop() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);  // with what it has started
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (int* fd : {&commands_, &answers_, &life_})
    if (*fd >= 0) ::close(*fd), *fd = -1;
  pid_ = -1;
  unread_.clear();
}

std::string Worker::how_it_died() {
  int status = 0;
  pid_t done = 0;
  while ((done = ::waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);
  pid_ = -1;
  if (done < 0) return "the worker is gone";
  return WIFSIGNALED(status) ? "the worker was killed by signal " + std::to_string(WTERMSIG(status))
                             : "the worker ended with exit code " + std::to_string(WEXITSTATUS(status));
}

void Worker::reserve(uint64_t bytes) {
  if (memory_fd_ < 0) {
    memory_fd_ = ::memfd_create("tenon-python", MFD_CLOEXEC);
    if (memory_fd_ < 0) fail("shared memory for the worker");
    memory_fd_ = lifted(memory_fd_);
  }
  if (bytes <= capacity_) return;
  const uint64_t size = std::max<uint64_t>(2 * capacity_, (bytes + 0xFFFFF) & ~uint64_t{0xFFFFF});
  if (::ftruncate(memory_fd_, static_cast<off_t>(size)) != 0) fail("shared memory for the worker");
  if (memory_ != nullptr) ::munmap(memory_, capacity_);
  memory_ = nullptr, capacity_ = 0;
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd_, 0);
  if (at == MAP_FAILED) fail("shared memory for the worker");
  memory_ = static_cast<unsigned char*>(at), capacity_ = size;
}

void Worker::start(std::chrono::nanoseconds limit) {
  if (pid_ > 0) return;
  stop();
  reserve(1);
  Pipe commands, answers, life;
  commands.read = lifted(commands.read), answers.write = lifted(answers.write), life.read = lifted(life.read);
  FileActions actions;
  actions.move(commands.read, kCommands), actions.move(answers.write, kAnswers);
  actions.move(memory_fd_, kMemory), actions.move(life.read, kLife);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);

  std::string script(kWorkerScript), dash_c = "-c";
  std::vector<char*> words{interpreter_.data(), dash_c.data(),    script.data(),
                           file_.data(),        function_.data(), nullptr};
  const int rc =
      ::posix_spawnp(&pid_, interpreter_.c_str(), actions.get(), &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  ::close(commands.read), ::close(answers.write), ::close(life.read);
  commands_ = commands.write, answers_ = answers.read, life_ = life.write;
  if (rc != 0) {
    pid_ = -1;
    stop();
    throw Error(TENON_E_INVALID, "interpreter: " + interpreter_ + " cannot be started (" + std::strerror(rc) +
                                     "): install Python 3, or name another");
  }
  std::string line;
  bool is_late = false;
  if (!read_line(line, Clock::now() + limit, is_late)) {
    const std::string why = is_late
                                ? "its import took longer than " + std::to_string(kStartLimit.count()) + " s"
                                : how_it_died() + " during the import";
    stop();
    throw Error(TENON_E_INVALID, "file: " + file_ + ": " + why);
  }
  const std::string error = python_error(json::parse(line));
  if (error.empty()) return;
  stop();
  throw Error(TENON_E_INVALID, "file: " + error);
}

bool Worker::read_line(std::string& line, Clock::time_point until, bool& is_late) {
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return true;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    pollfd wait{answers_, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    is_late = ready == 0;
    if (ready <= 0) return false;
    char bytes[65536];
    const ssize_t n = ::read(answers_, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    unread_.append(bytes, static_cast<size_t>(n));
  }
}

std::vector<Outcome> Worker::score(const std::vector<SampleText>& samples, std::chrono::nanoseconds limit) {
  const uint64_t n = samples.size();
  const auto all = [&](int32_t status, const std::string& why) {
    return std::vector<Outcome>(n, {0, status, why});
  };
  uint64_t texts = 0, tokens = 0;
  for (const SampleText& s : samples)
    texts += s.prompt.size() + s.completion.size() + s.meta_json.size(), tokens += s.tokens.size();
  const uint64_t size = (4 * 8 * (n + 1) + texts + 7) / 8 * 8 + 4 * tokens;
  reserve(std::max(size, 9 * n));
  start();
  const auto until = Clock::now() + limit;

  uint64_t at = 0;
  const auto put = [&](const void* bytes, uint64_t length) {
    if (length > 0) std::memcpy(memory_ + at, bytes, length);
    at += length;
  };
  const auto offsets = [&](auto&& length_of) {
    uint64_t sum = 0;
    put(&sum, 8);
    for (const SampleText& s : samples) sum += length_of(s), put(&sum, 8);
  };
  offsets([](const SampleText& s) { return s.prompt.size(); });
  offsets([](const SampleText& s) { return s.completion.size(); });
  offsets([](const SampleText& s) { return s.meta_json.size(); });
  offsets([](const SampleText& s) { return s.tokens.size(); });
  for (const SampleText& s : samples) put(s.prompt.data(), s.prompt.size());
  for (const SampleText& s : samples) put(s.completion.data(), s.completion.size());
  for (const SampleText& s : samples) put(s.meta_json.data(), s.meta_json.size());
  at = (at + 7) / 8 * 8;
  for (const SampleText& s : samples) put(s.tokens.data(), 4 * s.tokens.size());

  const std::string command =
      "{\"n\":" + std::to_string(n) + ",\"size\":" + std::to_string(capacity_) + "}\n";
  std::string line;
  bool is_late = false;
  const bool is_sent =
      ::write(commands_, command.data(), command.size()) == static_cast<ssize_t>(command.size());
  if (!is_sent || !read_line(line, until, is_late)) {
    const std::string why = is_late ? "it did not answer in time; its process was killed" : how_it_died();
    stop();
    return all(is_late ? TENON_R_TIMED_OUT : TENON_R_CRASHED, why);
  }
  const json::value answer = json::parse(line);
  if (const std::string error = python_error(answer); !error.empty()) return all(TENON_R_CRASHED, error);
  std::vector<Outcome> out(n);
  for (uint64_t i = 0; i < n; ++i) {
    std::memcpy(&out[i].reward, memory_ + 8 * i, 8);
    out[i].status = memory_[8 * n + i];
  }
  for (const auto& [place, reason] : answer.at("reasons").as_object())
    out.at(std::stoull(std::string(place))).reason = reason.as_string();
  return out;
}

}  // namespace tenon::python
