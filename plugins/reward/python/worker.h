// A child process that runs a Python function on batches of samples, can be killed, and is started again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::python {

// Of one sample.
struct Outcome {
  double reward = 0;
  int32_t status = 0;  // TENON_R_…
  std::string reason;
};

struct SampleText {
  std::string_view prompt, completion, meta_json;
  std::span<const int32_t> tokens;  // empty: not given
};

// What the start and the import may take, whatever a call may: on a busy machine an interpreter alone can take a second.
inline constexpr std::chrono::seconds kStartLimit{60};

class Worker {
 public:
  // Nothing is started yet.
  Worker(std::string interpreter, std::string file, std::string function);
  // Kills the child.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the child and imports the function. Throws Error: no interpreter, a file with a syntax error (with file:line:column), no such function, or an
  // import that takes longer than `limit`.
  void start(std::chrono::nanoseconds limit = kStartLimit);

  // One outcome a sample. Where the child does not answer within `limit` it is killed, with all that it started, and all of them are timed out; where it dies, they are
  // crashed. It is started again by the next call, whose limit begins when it is there.
  std::vector<Outcome> score(const std::vector<SampleText>& samples, std::chrono::nanoseconds limit);

  bool is_running() const { return pid_ > 0; }

 private:
  void stop();
  void reserve(uint64_t bytes);
  // A line of the child; false: it was not there in time (is_late) or the child has died.
  bool read_line(std::string& line, std::chrono::steady_clock::time_point until, bool& is_late);
  std::string how_it_died();

  std::string interpreter_, file_, function_;
  int pid_ = -1, commands_ = -1, answers_ = -1, life_ = -1;
  int memory_fd_ = -1;
  uint64_t capacity_ = 0;
  unsigned char* memory_ = nullptr;
  std::string unread_;  // bytes behind the last line
};

}  // namespace tenon::python
