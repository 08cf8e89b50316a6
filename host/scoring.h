// Rewards: from the outcomes of several to one number per sample.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/failure_window.h"
#include "host/reward_outcome.h"
#include "host/reward_rules.h"
#include "host/sample_record.h"
#include "host/step_values.h"
#include "host/watchdog.h"
#include "tenon/abi.h"

namespace tenon::host {

// The rewards of one list slot of a stage.
class Scoring {
 public:
  struct Term {
    std::string name;  // in the configuration; a second term of the same name is called "name#2"
    double weight = 1;
    void* self = nullptr;
    const tenon_reward_vt* vt = nullptr;
    RewardRules rules{};
    // A call that hangs is ended, and told of, by whoever is behind vt (isolation: process).
    bool ends_itself = false;
    std::string advice{};  // a sentence that helps where a call hangs; may be empty
  };
  // Bytes of a reason that are kept.
  static constexpr size_t kMaxReasonBytes = 200;

  // max_failures: the share of samples without a valid total, over the last of them, above which `check_rate` throws.
  Scoring(std::vector<Term> terms, double max_failures);

  // Gives every call of a reward a deadline, `timeout` from its beginning (0: none), and has `dog`, which outlives this, warn of one that runs past it.
  void set_timeout(std::chrono::nanoseconds timeout, Watchdog* dog) {
    timeout_ = timeout;
    dog_ = dog;
  }

  // What stands before "reward/<name>/…" in the names of metrics and timings: "held_out/" for a list that is not the stage's own, or nothing.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }

  // Takes warnings that name a reward: of notes that are not recorded, and of a monitor that fails, once each. On the thread of `score`.
  void set_warn(std::function<void(const std::string&)> warn) { warn_ = std::move(warn); }

  // Is told of each sample that was scored; its meta is at most kMaxMetaBytes long. On the thread of `score`.
  static constexpr size_t kMaxMetaBytes = 16 << 10;
  using Tell = std::function<void(uint64_t sample, SampleRecord what)>;
  void set_tell(Tell tell) { tell_ = std::move(tell); }

  // Fills what tenon_scored says: total = Σ weight · reward over the terms that are OK (0 for one whose `only_if` is not above its bound) and valid = 1; a term that
  // is not applicable is left out, as one is that gave a number where its `only_if` gave none; a sample for which no term is left, or of which any term has another outcome, gets total 0 and valid 0. Token rewards count
  // where the sample's total does. A monitor, a term of weight 0 that decides on no other, where another has a weight, is recorded and counted, and has no part in
  // total or valid.
  // A reward that leaves a status unset, sets an unknown one or gives an OK reward that is not finite counts as crashed. A reward's own error ends the run,
  // except TIMEOUT (and CANCELLED after the deadline), TRANSIENT and IO, which count as timed out or crashed for all of its samples. What a reward answers
  // after its deadline counts like any answer. The samples of a step may come in any order and number of calls, on any thread, one call at a time: what is
  // recorded of the step is the same. Throws tenon::Error(TENON_E_CANCELLED) when a reward was cancelled.
  void score(const tenon_call* call, const tenon_reward_in& in, tenon_scored& out);

  // Puts reward/<name>/mean, /std (over the step's OK rewards), /not_ok (share that is neither OK nor not applicable), the shares of the outcomes that
  // occurred, the means of notes, and the timing reward/<name> into `values`, then starts the next step. Returns objects for samples.jsonl, by sample: of those
  // that stand for their reason from now on (FailureWindow).
  std::vector<std::pair<uint64_t, std::string>> flush(StepValues& values);

  // Once, when samples without a valid total have occurred: how many, why, and when the run would stop.
  std::optional<std::string> first_failures();
  // After a flush, when the window is full, or none of its samples is valid and they are of at least kEnoughForNone groups (one unreadable row fails a whole
  // group): throws RunError, naming the three commonest reasons, when too many of its samples failed.
  static constexpr size_t kEnoughForNone = 8;
  void check_window() const;
  // At the end of a stage: the same, however few they are.
  void check_rate() const;

  // The last outcomes, with the reason of each: part of a checkpoint. That one of several rewards does not apply is no such reason; that none applies is.
  const FailureWindow& window() const { return window_; }
  void set_window(FailureWindow window) { window_ = std::move(window); }

 private:
  // By sample id, so that sums do not depend on which sample came first.
  using ById = std::vector<std::pair<uint64_t, double>>;
  struct Step {
    ById ok;
    uint64_t samples = 0;
    std::map<int32_t, uint64_t> outcomes;
    std::map<std::string, ById> notes;
    double seconds = 0;
    std::map<uint64_t, std::string> failures;  // of a monitor, by sample
  };
  struct Outcome {
    std::vector<double> reward;
    std::vector<double> token_reward;  // of all completion tokens, NaN: none
    std::vector<int32_t> status;
    std::vector<std::string> why;  // of samples that are not OK; may be empty
  };
  // Of all samples, those that the term's rules leave out being not applicable.
  Outcome call_term(size_t term, const tenon_call* call, const tenon_reward_in& in);
  // Of the samples given.
  Outcome ask(size_t term, const tenon_call* call, const tenon_reward_in& in);
  // A term that gave a number where its `only_if` gave none (NaN in `gate`) does not apply.
  void leave_to_gate(const Term& term, const std::vector<double>& gate, Outcome& outcome) const;
  static void count(Step& step, const tenon_reward_in& in, const Outcome& outcome);
  // The term's own `score`, with a deadline, watched; at: for the watchdog. Its settled code; an error's text in `why`.
  int32_t call_in_time(const Term& term, const tenon_call* call, const tenon_reward_in& in,
                       tenon_reward_out& out, const Watchdog::Call::At& at, std::string& why);
  // records: of the samples, less their meta.
  void tell_of_samples(const tenon_reward_in& in, std::vector<SampleRecord> records) const;
  void warn_once(const std::string& text);
  void warn_of_monitor(const Term& term, const Step& step);

  std::vector<Term> terms_;
  std::vector<Step> steps_;          // one a term
  std::vector<uint8_t> is_monitor_;  // of each term
  double max_failures_;
  std::chrono::nanoseconds timeout_{0};
  Watchdog* dog_ = nullptr;
  FailureWindow window_;
  bool has_warned_ = false;
  std::string prefix_;
  std::function<void(const std::string&)> warn_;
  Tell tell_;
  std::set<std::string> warnings_;  // that were given
};

}  // namespace tenon::host
