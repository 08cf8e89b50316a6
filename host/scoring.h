// Rewards: from the outcomes of several to one number per sample.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/reward_rules.h"
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
    bool ends_itself =
        false;  // a call that hangs is ended, and told of, by whoever is behind vt (isolation: process)
  };
  // How many samples the failure rate is taken over.
  static constexpr uint64_t kWindow = 200;
  // Distinct reasons that are counted apart, those beyond them together; bytes of a reason that are kept.
  static constexpr size_t kMaxReasons = 256, kMaxReasonBytes = 200;

  // max_failures: the share of samples without a valid total, over the last kWindow of them, above which `score` throws.
  Scoring(std::vector<Term> terms, double max_failures);

  // Gives every call of a reward a deadline, `timeout` from its beginning (0: none), and has `dog`, which outlives this, warn of one that runs past it.
  void set_timeout(std::chrono::nanoseconds timeout, Watchdog* dog) {
    timeout_ = timeout;
    dog_ = dog;
  }

  // Fills what tenon_scored says: total = Σ weight · reward over the terms that are OK (0 for one whose `only_if` is not above its bound) and valid = 1; a term that
  // is not applicable is left out; a sample for which no term is left, or of which any term has another outcome, gets total 0 and valid 0. Token rewards count
  // where the sample's total does.
  // A reward that leaves a status unset, sets an unknown one or gives an OK reward that is not finite counts as crashed. A reward's own error ends the run,
  // except TIMEOUT (and CANCELLED after the deadline), TRANSIENT and IO, which count as timed out or crashed for all of its samples. What a reward answers
  // after its deadline counts like any answer. The samples of a step may come in any order and number of calls, on any thread, one call at a time: what is
  // recorded of the step is the same. Throws tenon::Error(TENON_E_CANCELLED) when a reward was cancelled.
  void score(const tenon_call* call, const tenon_reward_in& in, tenon_scored& out);

  // Puts reward/<name>/mean, /std (over the step's OK rewards), /not_ok (share that is neither OK nor not applicable), the shares of the outcomes that
  // occurred, the means of notes, and the timing reward/<name> into `values`, then starts the next step.
  void flush(StepValues& values);

  // Once, when samples without a valid total have occurred: how many, and why.
  std::optional<std::string> first_failures();
  // After a flush, when there are kWindow outcomes: throws RunError, naming the three commonest reasons, when too many of the last ones failed. The last ones are
  // kWindow, by their ids, and at least all of the step.
  void check_full_window() const;
  // At the end of a stage: the same, however few they are.
  void check_rate() const;

  // The three commonest reasons for samples without a valid total, a line each with the first sample of it. That one of several rewards does not apply is no such reason; that none
  // applies is.
  std::string commonest_reasons() const;

  // The last outcomes, '1' = valid, oldest first: part of a checkpoint.
  const std::string& window() const { return window_; }
  void set_window(std::string window) { window_ = std::move(window); }

 private:
  // By sample id, so that sums do not depend on which sample came first.
  using ById = std::vector<std::pair<uint64_t, double>>;
  struct Step {
    ById ok;
    uint64_t samples = 0;
    std::map<int32_t, uint64_t> outcomes;
    std::map<std::string, ById> notes;
    double seconds = 0;
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
  // The term's own `score`, with a deadline, watched; at: for the watchdog. The return code; an error's text in `why`.
  int32_t call_in_time(const Term& term, const tenon_call* call, const tenon_reward_in& in,
                       tenon_reward_out& out, const Watchdog::Call::At& at, std::string& why);
  static bool has_infinite_token(const Outcome& out, const tenon_reward_in& in, uint64_t i);
  void count_reason(std::string reason, const tenon_reward_in& in, uint64_t i);
  uint64_t failed() const;  // of window_

  std::vector<Term> terms_;
  std::vector<Step> steps_;  // one a term
  double max_failures_;
  std::chrono::nanoseconds timeout_{0};
  Watchdog* dog_ = nullptr;
  std::string window_;
  std::vector<std::pair<uint64_t, char>> arrived_;  // of this step, as in window_, in the order of arrival
  bool has_warned_ = false;
  struct Reason {
    uint64_t times = 0;
    std::optional<uint64_t> sample;  // the lowest id; none: not known, or several reasons together
  };
  std::map<std::string, Reason> reasons_;
};

// "timed out"
const char* reward_status_name(int32_t status);

}  // namespace tenon::host
