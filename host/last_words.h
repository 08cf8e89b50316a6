// What is said when the program ends in the middle of something: a plugin crashed it, or called exit.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace tenon::host {

// Exit code of a program that a plugin ended with exit(), whatever it passed there.
inline constexpr int kExitEndedByPlugin = 70;

// Something that runs a plugin's code, as long as this lives: "stage zero", "reward correct". They nest on each thread; what another thread does besides is part of what the first one is at, and ends before it. Others, and signal handlers, read them.
class Doing {
 public:
  // Longer texts are cut. how_to_go_on: "tenon resume runs/x"; empty: nothing can be gone on with.
  explicit Doing(std::string_view what, std::string_view how_to_go_on = "");
  ~Doing();
  Doing(const Doing&) = delete;
  Doing& operator=(const Doing&) = delete;

  // The step that is next (0-based), and the steps that the last complete checkpoint holds, 0: there is none.
  void set_step(uint64_t step) { step_.store(step, std::memory_order_relaxed); }
  uint64_t kept() const { return kept_.load(std::memory_order_relaxed); }
  void set_kept(uint64_t steps) { kept_.store(steps, std::memory_order_relaxed); }

 private:
  friend struct LastWords;
  static constexpr uint64_t kNone = UINT64_MAX;

  std::array<char, 256> what_{};
  std::array<char, 512> how_{};
  const Doing* outer_;            // of this thread, or the first one's
  const Doing* outer_of_thread_;  // nullptr: this is its first
  std::atomic<uint64_t> step_{kNone}, kept_{0};
};

// From now on, exit() and a crash while something is done say what that is, which checkpoint is kept and how to go on; then exit ends with
// kExitEndedByPlugin, a crash as it would have. Handlers that are there already (a sanitizer's) stay.
void install_last_words();

// Writes which checkpoint is kept, and how to go on, to the standard error. [any thread, signal handlers]
void say_what_is_kept();

}  // namespace tenon::host
