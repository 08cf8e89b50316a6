// A reward in a process of its own (isolation: process): what happens to it there costs the samples that did it, and no other.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/instance.h"
#include "host/plan.h"
#include "host/worker_process.h"
#include "tenon/abi.h"

namespace tenon::host {

// Behaves as the reward does in this process, with these differences. Its process may be killed, and is started again for the next sample:
// - it dies: the sample that it was at has crashed; those it was through with keep what they got; the others are judged in the next process. A reward that
//   does not say what it is at (tenon_reward_out.judging) is asked for the samples of the call one by one.
// - it has not returned kGrace after the deadline of a call: the same, and the sample has timed out; the others of its group come last. Each further try has
//   the time of the call again. When more than kMostInARow samples have hung with no answer between, or twice the time of that many has passed without one
//   as the process dies, what is left of the call has timed out, too.
// - it cannot be started again: what is left of the call has crashed.
// `parallel_for` runs on threads of its own process. It cannot keep state, and its slots hold instances of its own.
class IsolatedReward {
 public:
  static constexpr std::chrono::milliseconds kGrace{250};
  static constexpr int64_t kMostInARow = 8;
  // How often it looks what the reward is at.
  static constexpr std::chrono::milliseconds kLook{250};
  // What start and creation may take; what destroying may.
  static constexpr std::chrono::seconds kStartLimit{60}, kEndLimit{5};

  // Starts the process and makes the component there. place: of the instance, "zero/rewards/0". `services` and `spec` outlive this. Throws tenon::Error with the
  // text of the component, or of the system.
  IsolatedReward(HostServices& services, const Spec& spec, std::string place);
  // Lets the component be destroyed, and kills its process if that takes longer than kEndLimit.
  ~IsolatedReward();
  IsolatedReward(const IsolatedReward&) = delete;
  IsolatedReward& operator=(const IsolatedReward&) = delete;

  // Paths of the options that the component has read.
  const std::vector<std::string>& options_read() const { return options_read_; }
  // `self` of it is an IsolatedReward.
  static const tenon_reward_vt* table();

 private:
  using Clock = WorkerProcess::Clock;
  struct Part;
  struct Said;
  struct Ending;

  void start();
  int32_t score(const tenon_call* call, const tenon_reward_in& in, tenon_reward_out& out, tenon_error* err);
  Ending attempt(const Part& part);
  ScoreHead fill_memory(const Part& part);
  void take(const Frame& frame) const;
  void keep(const Frame& frame, std::vector<Said>& said) const;
  WorkerProcess::Wait await_end(const Part& part, const ScoreHead& head,
                                std::optional<Clock::time_point> until, std::vector<Said>& said,
                                Frame& frame);
  void tell_loss(uint64_t sample, const std::string& why);
  void give_answers(const Part& part, const ScoreHead& head, const std::vector<Said>& said, bool is_done,
                    Ending& ending);

  HostServices& services_;
  const std::string text_, place_;  // of the specification
  std::mutex mutex_;                // one call at a time
  uint64_t call_ = 0, losses_ = 0;  // number of the last attempt; of processes that samples have cost
  std::unique_ptr<WorkerProcess> process_;
  std::vector<std::string> options_read_;
};

}  // namespace tenon::host
