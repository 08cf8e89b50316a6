// One tenon-worker: started, spoken to, killed. Nothing here knows what it makes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <chrono>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "host/worker_protocol.h"

namespace tenon::host {

class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kDeathLimit{5};

  // Beside the running program, or in ../bin of it. Once found it stays the same file, though another be put in its place: tenon may be installed anew while it
  // runs. Throws std::runtime_error that names where it was looked for.
  static const std::filesystem::path& program();

  // Starts one. Throws std::runtime_error if the system gives no process, descriptor or memory.
  WorkerProcess();
  // Kills it, with all that it has started.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // The memory that both see, at least `bytes` of it. It moves and loses nothing. Throws std::runtime_error.
  unsigned char* memory(uint64_t bytes);
  uint64_t memory_bytes() const { return memory_bytes_; }

  // False: it is gone.
  bool send(const Frame& frame);
  enum class Wait { kFrame, kLate, kGone };
  // The next frame, into `frame`; kLate at `until`, even if more is coming. What is no frame counts as gone.
  Wait receive(std::optional<Clock::time_point> until, Frame& frame);
  // The next of the frames that had come before it ended; false: no whole one is left.
  bool receive_rest(Frame& frame);

  bool has_ended() const;
  // Kills it; then "its process was killed by signal 11", or how else it ended by itself; "it was killed" if it had not ended. What the system does not let die
  // (it waits for a device or a file server) is left after kDeathLimit.
  std::string end();

 private:
  ssize_t read_some();  // as recv, without waiting; into unread_
  void kill_group() const;
  bool reap(int& status) const;  // within kDeathLimit

  int pid_ = -1, socket_ = -1, death_ = -1, memory_fd_ = -1;
  unsigned char* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  bool is_gone_ = false;  // its end of the socket is closed, or it cannot be understood
  std::string unread_;    // what has come of frames that nobody took yet
  std::string fault_;     // why it cannot be understood
};

}  // namespace tenon::host
