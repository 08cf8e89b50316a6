// Says so when a call runs past its limit, or a stage gives no sign of life: a hang is never silent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace tenon::host {

// Watches one stage from a thread of its own. It stops nothing: code inside the process cannot be ended safely.
class Watchdog {
 public:
  using Clock = std::chrono::steady_clock;
  // Takes a warning, on any thread.
  using Say = std::function<void(const std::string&)>;
  static constexpr std::chrono::minutes kPatience{5};
  static constexpr char kWayOutOfRun[] =
      "Ctrl-C twice ends the run, and `tenon resume` goes on from its last checkpoint";

  // place: begins every warning, "stage zero". patience: time without a sign of life before the first warning; a stage that has been quiet for longer
  // before, and went on, is given five times that. way_out: what ends a hang.
  Watchdog(Say say, std::string place, Clock::duration patience = kPatience,
           std::string way_out = kWayOutOfRun);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // [any thread] A sign of life. Warnings name the last one: "no sign of life for 5m, since <what>".
  void alive(std::string what);

  // A reward's call, as long as this lives. Past its limit it is warned of, again after twice, four, eight… times the limit, and when it has returned after all.
  class Call {
   public:
    // What it is at: " sample 4711: 31s", or nothing. [any thread, as long as the call lives]
    using At = std::function<std::string()>;
    // what: "reward 'correct'"; doing: "256 samples"; option: where the limit comes from. limit 0: none, and the call is a sign of life, and named where there is none
    // for long. advice: a sentence that helps against a hang, or nothing.
    Call(Watchdog& dog, const std::string& what, const std::string& doing, const std::string& option,
         Clock::duration limit, At at = {}, const std::string& advice = "");
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    friend class Watchdog;
    Watchdog& dog_;
    std::string what_, doing_, option_, advice_;
    At at_;
    Clock::duration limit_, next_;  // next_: age at which the next warning is due
    Clock::time_point begin_ = Clock::now();
  };

 private:
  void watch();
  // The warnings that are due now; sets when the next one may be.
  std::list<std::string> due(Clock::time_point now, Clock::time_point& next);

  const Say say_;
  const std::string place_;
  const Clock::duration patience_;
  const std::string way_out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::list<Call*> calls_;
  std::string last_sign_ = "it began";
  Clock::time_point last_ = Clock::now();
  Clock::duration longest_{0}, next_quiet_;
  std::thread thread_;  // last: it uses all of the above
};

// "250ms", "45s", "1m30s", "2h5m".
std::string duration_text(std::chrono::nanoseconds duration);

}  // namespace tenon::host
