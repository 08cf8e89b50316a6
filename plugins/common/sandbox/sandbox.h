// Programs that nobody trusts, run where they can do no harm. The strongest walls that the machine allows are found by building them: a box with
// its own namespaces, a Landlock ruleset, a system-call filter, a user id without rights, cgroups and resource limits. Linux only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/cgroup.h"
#include "sandbox/fd.h"
#include "sandbox/protocol.h"

namespace tenon::sandbox {

// No box can be built as asked; the text has the reason for each way that was tried.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

const char* name_of(Layer layer);  // "user namespaces", "root namespaces", "Landlock", "seccomp"

struct BoxSetup {
  Layer strongest = Layer::kUserNamespaces;  // stronger ones are not tried
  Layer minimum = Layer::kLandlock;          // weaker ones are not tried
  std::vector<std::string> read_only{
      "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives"};
  uint64_t memory = 0;     // bytes of all jobs together, where there is a cgroup; 0: no limit
  uint64_t processes = 0;  // as well
  uint64_t work_bytes = uint64_t{512} << 20, work_files = 4096;  // of the work folder of a build
  uint64_t shared_bytes = uint64_t{1} << 30;                     // of the folder that prepare jobs fill
};

// What happened to a program that was started.
struct Outcome {
  bool reported = false;  // its end is known; otherwise the box itself failed
  JobReport report;
  bool timed_out = false;     // killed at the wall-clock limit
  bool stopped = false;       // killed because another one had ended
  bool output_limit = false;  // killed for what it wrote
  double wall_seconds = 0;
};

// A stream out of the box.
struct Stream {
  Fd fd;               // end to read from
  uint64_t most = 0;   // bytes kept
  uint64_t fatal = 0;  // the program is killed when it has written more
  std::string data;
  uint64_t seen = 0;
};

// Waits for programs that were started in the box, reading what they write. status: the judge's ends of their status sockets. Ends when
// the first of them has ended (the others are killed) or at the limit (all are killed), and when the ends of all are known. Throws Error where it cannot
// wait; the programs are killed when their status sockets are closed.
std::vector<Outcome> attend(const std::vector<Fd*>& status, const std::vector<Stream*>& streams,
                            double wall_seconds);

// A box and the right to start programs in it. All functions: any thread.
class Sandbox {
 public:
  // Builds the strongest box between setup.strongest and setup.minimum that stands the test from inside. Throws Error.
  static std::unique_ptr<Sandbox> start(const BoxSetup& setup);
  ~Sandbox();  // kills what runs in it; returns when nothing of it is left
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  Layer layer() const { return layer_; }
  // What protects the machine, one line each: "layer: …", "cgroup: …", "Landlock: …".
  const std::vector<std::string>& description() const { return description_; }

  // The folder that prepare jobs fill, as programs in the box see it.
  std::string shared_folder() const { return temporary_ + kSharedFolder; }

  // False once the box has ended, by itself or killed: it starts nothing any more.
  bool is_there() const;

  // Starts a job. fds: as BoxJob says, without the status socket, which is returned. Throws Error where the box is gone.
  Fd launch(const BoxJob& job, const std::vector<int>& fds);

 private:
  Sandbox() = default;
  static std::unique_ptr<Sandbox> build(const BoxSetup& setup, Layer layer, bool cgroups, std::string& why);
  void check();

  Layer layer_ = Layer::kSeccomp;
  std::vector<std::string> description_;
  std::string temporary_;  // where there are no namespaces
  Cgroups groups_;
  std::mutex mutex_;
  Fd control_, errors_, program_;
  int pid_ = -1;
};

// What this machine allows, found by trying: one line for each layer.
std::vector<std::string> probe();

// Bytes as a file in memory that cannot be changed any more, at offset 0.
Fd sealed_file(std::string_view bytes);
// An empty file in memory; `contents` of it later.
Fd memory_file();
std::string contents(int fd);
// The two ends of a pipe (read, write) and of a message socket, closed on exec.
std::pair<Fd, Fd> make_pipe();
std::pair<Fd, Fd> make_socket();
// Sends one message with descriptors beside it. False: the other side is gone.
bool send_message(int socket, std::string_view bytes, const std::vector<int>& fds);

}  // namespace tenon::sandbox
