// The child process of a Python reward.
// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <thread>

#include "worker_script.h"

extern char** environ;

namespace tenon::python {

namespace json = boost::json;

namespace {

// What the child finds at these numbers.
constexpr int kCommands = 3, kAnswers = 4, kMemory = 5, kLife = 6;

[[noreturn]] void fail(const std::string& what) {
  throw Error(TENON_E_IO, what + ": " + std::strerror(errno));
}

// Two descriptors that are connected, and are closed in children that are not meant to have them.
struct Ends {
  int childs, own;
};
Ends pipe_to_child() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("a pipe to the worker");
  return {ends[0], ends[1]};
}
Ends pipe_from_child() {
  const Ends other = pipe_to_child();
  return {other.own, other.childs};
}
// A socket and no pipe: writing to a child that is dead must be an error, not a signal.
Ends commands_to_child() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("a socket to the worker");
  return {ends[0], ends[1]};
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  // High copies first, as a descriptor that is to be moved may stand where another is to go.
  void move(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void open_null(int to) { posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", O_RDONLY, 0); }
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

// The error in a line of the child at its start; empty: there is none.
std::string python_error(const std::string& line) {
  boost::system::error_code error;
  const json::value answer = json::parse(line, error);
  const json::object* object = error ? nullptr : answer.if_object();
  if (object == nullptr) return "the worker's answer cannot be read: " + line.substr(0, 100);
  const json::value* text = object->if_contains("error");
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : "";
}

// Reads {"call", "reasons"} into `out`; what is wrong with it, or nothing.
std::string read_reasons(const std::string& line, uint64_t call, std::vector<RewardOutcome>& out) {
  try {
    const json::value answer = json::parse(line);
    if (answer.at("call").to_number<uint64_t>() != call)
      return "the worker answered another call: does the function leave processes behind that return?";
    for (const auto& [place, reason] : answer.at("reasons").as_object())
      out.at(std::stoull(std::string(place))).why = std::string(reason.as_string());
    return {};
  } catch (const std::exception&) {
    return "the worker's answer cannot be read: does the function write to descriptor " +
           std::to_string(kAnswers) + "?";
  }
}

}  // namespace

Worker::Worker(std::string interpreter, std::string file, std::string function, Format format)
    : interpreter_(std::move(interpreter)),
      file_(std::move(file)),
      function_(std::move(function)),
      format_(format) {}

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
  for (int* fd : {&commands_, &answers_, &life_, &death_})
    if (*fd >= 0) ::close(*fd), *fd = -1;
  pid_ = -1;
  unread_.clear();
}

bool Worker::has_ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid != 0;
}

std::string Worker::how_it_died() {
  // It may have closed its end and live on.
  for (int i = 0; i < 100 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (!has_ended()) return "the worker closed its descriptors";
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
  Ends commands = commands_to_child(), answers = pipe_from_child(), life = pipe_to_child();
  for (Ends* ends : {&commands, &answers, &life}) ends->childs = lifted(ends->childs);
  FileActions actions;
  actions.open_null(STDIN_FILENO), actions.move(STDERR_FILENO, STDOUT_FILENO);  // the host's own stay its own
  actions.move(commands.childs, kCommands), actions.move(answers.childs, kAnswers);
  actions.move(memory_fd_, kMemory), actions.move(life.childs, kLife);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);

  std::string script(kWorkerScript), dash_c = "-c", format = format_ == Format::kText ? "text" : "messages";
  std::vector<char*> words{interpreter_.data(), dash_c.data(), script.data(), file_.data(),
                           function_.data(),    format.data(), nullptr};
  const int rc =
      ::posix_spawnp(&pid_, interpreter_.c_str(), actions.get(), &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  for (const Ends* ends : {&commands, &answers, &life}) ::close(ends->childs);
  commands_ = commands.own, answers_ = answers.own, life_ = life.own;
  if (rc != 0) {
    pid_ = -1;
    stop();
    throw Error(TENON_E_INVALID, "interpreter: " + interpreter_ + " cannot be started (" + std::strerror(rc) +
                                     "): install Python 3, or name another");
  }
  death_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));  // -1 on old systems
  const Reply reply = read_line(Clock::now() + limit);
  std::string error;
  if (reply.kind == Reply::kAnswer) {
    error = python_error(reply.text);
  } else if (reply.kind == Reply::kLate) {
    error = file_ + ": its import took longer than " +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) + " s";
  } else {
    error = file_ + ": " + reply.text + " during the import";
  }
  if (error.empty()) return;
  stop();
  throw Error(TENON_E_INVALID, "file: " + error);
}

Worker::Reply Worker::read_line(Clock::time_point until) {
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      Reply line{Reply::kAnswer, unread_.substr(0, end)};
      unread_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    // A process that it has left behind may hold its end of the pipe: its death is watched, too.
    pollfd wait[] = {{answers_, POLLIN, 0}, {death_, POLLIN, 0}};
    const int ready = left <= 0 ? 0 : ::poll(wait, 2, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return {Reply::kLate, "it did not answer in time; its process was killed"};
    if (ready > 0 && wait[0].revents == 0) return {Reply::kDead, how_it_died()};
    char bytes[65536];
    const ssize_t n = ready < 0 ? -1 : ::read(answers_, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {Reply::kDead, how_it_died()};
    unread_.append(bytes, static_cast<size_t>(n));
  }
}

void Worker::put(std::span<const SampleText> samples) {
  const uint64_t n = samples.size();
  uint64_t texts = 0, tokens = 0;
  for (const SampleText& s : samples)
    texts += s.prompt.size() + s.completion.size() + s.meta_json.size(), tokens += s.tokens.size();
  const uint64_t size = (4 * 8 * (n + 1) + texts + 7) / 8 * 8 + 4 * tokens;
  reserve(std::max(size, 9 * n));

  uint64_t at = 0;
  const auto append = [&](const void* bytes, uint64_t length) {
    if (length > 0) std::memcpy(memory_ + at, bytes, length);
    at += length;
  };
  const auto offsets = [&](auto&& length_of) {
    uint64_t sum = 0;
    append(&sum, 8);
    for (const SampleText& s : samples) sum += length_of(s), append(&sum, 8);
  };
  offsets([](const SampleText& s) { return s.prompt.size(); });
  offsets([](const SampleText& s) { return s.completion.size(); });
  offsets([](const SampleText& s) { return s.meta_json.size(); });
  offsets([](const SampleText& s) { return s.tokens.size(); });
  for (const SampleText& s : samples) append(s.prompt.data(), s.prompt.size());
  for (const SampleText& s : samples) append(s.completion.data(), s.completion.size());
  for (const SampleText& s : samples) append(s.meta_json.data(), s.meta_json.size());
  at = (at + 7) / 8 * 8;
  for (const SampleText& s : samples) append(s.tokens.data(), 4 * s.tokens.size());
}

Worker::Reply Worker::ask(uint64_t n, Clock::time_point until) {
  const std::string call = "{\"call\":" + std::to_string(++call_);
  const std::string command =
      call + ",\"n\":" + std::to_string(n) + ",\"size\":" + std::to_string(capacity_) + "}\n";
  for (size_t sent = 0; sent < command.size();) {
    const ssize_t bytes = ::send(commands_, command.data() + sent, command.size() - sent, MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return {Reply::kDead, how_it_died()};
    sent += static_cast<size_t>(bytes);
  }
  return read_line(until);
}

std::vector<RewardOutcome> Worker::attempt(std::span<const SampleText> samples, Clock::time_point until,
                                           Reply& reply) {
  const uint64_t n = samples.size();
  put(samples);
  reply = ask(n, until);
  std::vector<RewardOutcome> out(n);
  if (reply.kind == Reply::kAnswer) {
    if (const std::string fault = read_reasons(reply.text, call_, out); !fault.empty()) {
      stop();
      return std::vector<RewardOutcome>(n, {TENON_R_CRASHED, 0, fault});
    }
    for (uint64_t i = 0; i < n; ++i) {
      std::memcpy(&out[i].reward, memory_ + 8 * i, 8);
      out[i].status = memory_[8 * n + i];
    }
    return out;
  }
  stop();
  const int32_t status = reply.kind == Reply::kLate ? TENON_R_TIMED_OUT : TENON_R_CRASHED;
  return std::vector<RewardOutcome>(n, {status, 0, reply.text});
}

std::vector<RewardOutcome> Worker::score(const std::vector<SampleText>& samples,
                                         std::chrono::nanoseconds limit) {
  if (pid_ > 0 && has_ended()) stop();
  start();
  const auto until = Clock::now() + limit;
  Reply reply{};
  std::vector<RewardOutcome> out = attempt(samples, until, reply);
  if (reply.kind != Reply::kDead || samples.size() == 1) return out;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (Clock::now() >= until) {
      out[i] = {TENON_R_TIMED_OUT, 0, "the time was up before its turn, after " + reply.text};
      continue;
    }
    try {
      start(until - Clock::now());
    } catch (const Error& e) {
      std::fill(out.begin() + static_cast<ptrdiff_t>(i), out.end(),
                RewardOutcome{TENON_R_CRASHED, 0, e.what()});
      break;
    }
    Reply own{};
    out[i] = attempt(std::span(samples).subspan(i, 1), until, own)[0];
  }
  return out;
}

}  // namespace tenon::python
