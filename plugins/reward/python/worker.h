// A child process that runs a Python function on batches of samples, can be killed, and is started again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/reward.hpp"

namespace tenon::python {

struct SampleText {
  std::string_view prompt, completion, meta_json;
  std::span<const int32_t> tokens;  // empty: not given
};

// How the function is given prompts and completions.
enum class Format { kText, kMessages };

// What the start and the import may take, whatever a call may: on a busy machine an interpreter alone can take a second.
inline constexpr std::chrono::seconds kStartLimit{60};

class Worker {
 public:
  // Nothing is started yet.
  Worker(std::string interpreter, std::string file, std::string function, Format format = Format::kText);
  // Kills the child.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the child and imports the function. Throws Error: no interpreter, a file with a syntax error (with file:line:column), no such function, or an
  // import that takes longer than `limit`.
  void start(std::chrono::nanoseconds limit = kStartLimit);

  // One outcome a sample. Where the child dies, the samples are tried one by one, each in a child that is started again if need be, as far as `limit` goes:
  // so that it costs the sample that kills it and no other. Where it does not answer within `limit` it is killed, with all that it started, and what
  // has no outcome is timed out. A child that died between two calls costs nothing. The limit begins when the child is there.
  std::vector<RewardOutcome> score(const std::vector<SampleText>& samples, std::chrono::nanoseconds limit);

  bool is_running() const { return pid_ > 0; }

 private:
  using Clock = std::chrono::steady_clock;
  // How a call went: an answer; none in time; a child that is dead, and how it died.
  struct Reply {
    enum { kAnswer, kLate, kDead } kind;
    std::string text;
  };

  void stop();
  void reserve(uint64_t bytes);
  void put(std::span<const SampleText> samples);
  std::vector<RewardOutcome> attempt(std::span<const SampleText> samples, Clock::time_point until,
                                     Reply& reply);
  // Sends the command about what is in the memory and waits for its answer.
  Reply ask(uint64_t n, Clock::time_point until);
  Reply read_line(Clock::time_point until);
  bool has_ended() const;
  std::string how_it_died();

  std::string interpreter_, file_, function_;
  Format format_;
  int pid_ = -1, commands_ = -1, answers_ = -1, life_ = -1, death_ = -1;
  int memory_fd_ = -1;
  uint64_t capacity_ = 0;
  unsigned char* memory_ = nullptr;
  uint64_t call_ = 0;   // number of the last command
  std::string unread_;  // bytes behind the last line
};

}  // namespace tenon::python
