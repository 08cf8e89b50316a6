// The judge's side of the box: building it, starting jobs.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sandbox/program.h"
#include "sandbox/seccomp.h"
#include "sandbox/user.h"

namespace tenon::sandbox {

namespace {

constexpr double kStartSeconds = 20;
constexpr Layer kAllLayers[] = {Layer::kUserNamespaces, Layer::kRootNamespaces, Layer::kLandlock,
                                Layer::kSeccomp};

[[noreturn]] void fail(const char* what) {
  throw Error(std::string(what) + ": " + std::strerror(errno));
}

bool has_namespaces(Layer layer) {
  return layer == Layer::kUserNamespaces || layer == Layer::kRootNamespaces;
}

std::string landlock_text() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  return abi < 1 ? "none" : "ABI " + std::to_string(abi);
}

// Everything that is there to read without blocking.
std::string drain(int fd) {
  std::string out;
  char block[1024];
  for (ssize_t n = 0; (n = read(fd, block, sizeof block)) > 0;) out.append(block, static_cast<size_t>(n));
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

int spawn_box(int program, int control, int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  // Parked above the numbers that are given away, so that none is overwritten before it is used.
  const int parked_control = fcntl(control, F_DUPFD_CLOEXEC, 16),
            parked_errors = fcntl(errors, F_DUPFD_CLOEXEC, 16);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, parked_errors, 2);
  posix_spawn_file_actions_adddup2(&actions, parked_control, static_cast<int>(kControlFd));
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const std::string path = "/proc/self/fd/" + std::to_string(program);
  char name[] = "tenon-box";
  char* argv[] = {name, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int rc = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv, environment);
  close(parked_control);
  close(parked_errors);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (rc != 0) {
    errno = rc;
    fail("starting the box");
  }
  return pid;
}

// The session of a process, 0 of one that is not there (proc(5): the sixth field of its stat).
pid_t session_of(const std::filesystem::path& process) {
  std::ifstream in(process / "stat");
  std::string line, state;
  std::getline(in, line);
  const size_t at = line.rfind(')');
  if (at == std::string::npos) return 0;
  pid_t parent = 0, group = 0, session = 0;
  std::istringstream(line.substr(at + 1)) >> state >> parent >> group >> session;
  return state == "Z" ? 0 : session;
}

// What a box that was killed leaves running where it was no namespace's init. It is of the box's session, for a program's filter refuses to make another.
void kill_session(pid_t session) {
  std::error_code ignored;
  for (bool again = true; again;) {
    again = false;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && pid != session && session_of(entry.path()) == session) again |= kill(pid, SIGKILL) == 0;
    }
  }
}

}  // namespace

const char* name_of(Layer layer) {
  constexpr const char* names[] = {"user namespaces", "root namespaces", "Landlock", "seccomp"};
  return names[static_cast<uint32_t>(layer)];
}

Fd memory_file() {
  Fd fd(memfd_create("tenon", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) fail("memfd_create");
  return fd;
}

Fd sealed_file(std::string_view bytes) {
  Fd fd = memory_file();
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n <= 0) fail("writing a file in memory");
    done += static_cast<size_t>(n);
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    fail("sealing a file in memory");
  return fd;
}

std::string contents(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0) fail("fstat");
  std::string out(static_cast<size_t>(st.st_size), '\0');
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n <= 0) fail("reading a file in memory");
    done += static_cast<size_t>(n);
  }
  return out;
}

std::pair<Fd, Fd> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) fail("pipe");
  return {Fd(fds[0]), Fd(fds[1])};
}

std::pair<Fd, Fd> make_socket() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) fail("socketpair");
  return {Fd(fds[0]), Fd(fds[1])};
}

bool send_message(int socket, std::string_view bytes, const std::vector<int>& fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))]{};
  if (fds.size() > kMaxFds || bytes.size() > kMaxMessage) throw Error("a message to the box is too large");
  iovec io{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t n = -1;
  do n = sendmsg(socket, &header, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(bytes.size());
}

std::unique_ptr<Sandbox> Sandbox::build(const BoxSetup& setup, Layer layer, bool cgroups, std::string& why) {
  if (layer == Layer::kRootNamespaces && geteuid() != 0) {
    why = "needs root";
    return nullptr;
  }
  std::unique_ptr<Sandbox> box(new Sandbox);
  box->layer_ = layer;
  BoxConfig config;
  config.layer = layer;
  static std::atomic<unsigned> boxes{0};
  config.user = geteuid() == 0 ? box_user(getpid(), boxes++) : 0;
  config.work_bytes = setup.work_bytes;
  config.work_files = setup.work_files;
  config.shared_bytes = setup.shared_bytes;
  config.read_only = setup.read_only;
  config.run_filter = run_filter();
  config.build_filter = build_filter(has_namespaces(layer) || config.user != 0);
  Cgroups& groups = box->groups_;
  if (cgroups) groups = make_cgroups(setup.memory, setup.processes);
  config.cgroups = groups.folders;
  if (!has_namespaces(layer)) {
    const char* base = getenv("TMPDIR");
    std::string folder = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/tenon-box-" +
                         std::to_string(getpid()) + "-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) fail("a temporary folder");
    chmod(folder.c_str(), 0711);  // to be passed through, not listed
    config.temporary = box->temporary_ = folder;
  }
  auto [control, theirs] = make_socket();
  auto [errors, their_errors] = make_pipe();
  fcntl(errors.get(), F_SETFL, O_NONBLOCK);
  box->control_ = std::move(control);
  box->errors_ = std::move(errors);
  box->program_ = sealed_file(box_program());
  box->pid_ = spawn_box(box->program_.get(), theirs.get(), their_errors.get());
  theirs.reset();
  their_errors.reset();
  send_message(box->control_.get(), config.pack(), {});
  pollfd wait{box->control_.get(), POLLIN, 0};
  JobReport ready;
  const bool up = poll(&wait, 1, static_cast<int>(kStartSeconds * 1000)) == 1 &&
                  recv(box->control_.get(), &ready, sizeof ready, 0) == sizeof ready;
  if (!up) {
    why = drain(box->errors_.get());
    if (why.empty()) why = "the box did not start";
    return nullptr;
  }
  box->description_ = {
      std::string("layer: ") + name_of(layer),
      "cgroup: " + (groups.description.empty() ? "none: they cannot be entered" : groups.description),
      "Landlock: " + (layer == Layer::kSeccomp ? "not used" : landlock_text()), "seccomp: allow-list",
      "user: " + (config.user != 0 ? "an id of its own, " + std::to_string(config.user)
                                   : std::string("the judge's"))};
  try {
    box->check();
  } catch (const Error& e) {
    why = e.what();
    return nullptr;
  }
  return box;
}

void Sandbox::check() {
  auto [out, their_out] = make_pipe();
  Fd nothing = sealed_file("");
  BoxJob job;
  job.exec_fd = true;
  job.argv = {"tenon-box", "check", layer_ == Layer::kSeccomp ? "seccomp" : "files"};
  job.limits.cpu_seconds = 5;
  Fd status = launch(job, {nothing.get(), their_out.get(), their_out.get(), program_.get()});
  their_out.reset();
  Stream text{std::move(out), 4096, 65536, {}, 0};
  const auto ended = attend({&status}, {&text}, kStartSeconds);
  const JobReport& r = ended[0].report;
  if (text.data == "confined") return;
  if (r.error != 0)
    throw Error("step " + std::to_string(r.step) + " before a program runs: " + std::strerror(r.error));
  throw Error(text.data.empty() ? "a program cannot run in it (status " + std::to_string(r.status) + ")"
                                : "it does not hold: " + text.data + " worked inside");
}

std::unique_ptr<Sandbox> Sandbox::start(const BoxSetup& setup) {
  std::string reasons;
  for (Layer layer : kAllLayers) {
    if (layer < setup.strongest || layer > setup.minimum) continue;
    for (bool cgroups : {true, false}) {
      std::string why;
      if (auto box = build(setup, layer, cgroups, why)) return box;
      if (cgroups && why.starts_with("entering ")) continue;
      reasons += std::string(reasons.empty() ? "" : "; ") + name_of(layer) + ": " + why;
      break;
    }
  }
  throw Error("no sandbox: " + (reasons.empty() ? "strongest is below minimum" : reasons));
}

Sandbox::~Sandbox() {
  control_.reset();
  if (pid_ > 0) {
    // Not reaped yet, its number is nobody else's.
    siginfo_t end{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    const bool is_regular = end.si_code == CLD_EXITED && end.si_status == 0;
    if (!is_regular && !has_namespaces(layer_)) kill_session(pid_);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  // The box clears up behind itself, unless it was killed.
  remove_cgroups(groups_);
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

bool Sandbox::is_there() const {
  pollfd control{control_.get(), POLLIN,
                 0};  // the box says nothing here after its start: readable is at its end
  return poll(&control, 1, 0) != 1;
}

Fd Sandbox::launch(const BoxJob& job, const std::vector<int>& fds) {
  auto [ours, theirs] = make_socket();
  std::vector<int> all{theirs.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  std::lock_guard lock(mutex_);
  if (!send_message(control_.get(), job.pack(), all)) {
    const std::string text = drain(errors_.get());
    throw Error("the box is gone" + (text.empty() ? "" : ": " + text));
  }
  return std::move(ours);
}

std::vector<std::string> probe() {
  std::vector<std::string> lines;
  for (Layer layer : kAllLayers) {
    BoxSetup setup;
    setup.strongest = setup.minimum = layer;
    std::string line = std::string(name_of(layer)) + ": ";
    try {
      const auto box = Sandbox::start(setup);
      line += "works";
      for (size_t k = 1; k < box->description().size(); ++k)
        line += (k == 1 ? " (" : ", ") + box->description()[k];
      line += ")";
    } catch (const Error& e) {
      line += e.what();
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace tenon::sandbox
