// Evaluation of a policy while it trains: on problems held out, every so many steps; with it early stopping, and the best parameters kept.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "stage_support/evaluation_rules.h"
#include "stage_support/sampled.h"

namespace tenon::stages {

// The option `held_out` of a stage that trains a policy by sampling. What it samples does not move the run's random numbers: a run with it takes the same steps as
// without, until it stops one.
class HeldOut {
 public:
  // Nothing if the option is not given. Reads held_out.… and, where that does not say, the stage's options of sampling.
  static std::optional<HeldOut> of(const Host& host, const Model& model, const Tokenizer& tokenizer);
  // Rules between its options, for the stage's `check`.
  static void check(const Host& host, Findings& findings);

  // Before the first step: the policy as the stage got it. Its numbers are metrics of the first step.
  void before(const tenon_call* call, uint64_t steps);
  // Behind the updates of step `step` of `steps`: evaluates, if it is its turn, and records held_out/…. True: training is to end here.
  bool after(const tenon_call* call, uint64_t step, uint64_t steps);
  // `after` has said so: for a stage that goes on from the checkpoint of that step.
  bool has_ended() const { return rules_.has_ended(); }
  // At the end of training: the best parameters, if they are wanted.
  void finish(const tenon_call* call, const StageIo&, uint64_t& version) const {
    rules_.finish(call, version);
  }

  void save(Writer& w) const { rules_.save(w); }
  void load(Reader& r) { rules_.load(r); }

 private:
  HeldOut(const Host& host, const Model& model, const Tokenizer& tokenizer);

  void evaluate(const tenon_call* call, uint64_t done, uint64_t steps, bool is_recorded);

  Host host_;
  Model model_;
  Tokenizer tokenizer_;
  Dataset data_;
  CompletionSampler sampler_;
  uint64_t problems_, samples_;
  EvaluationRules rules_;
};

inline constexpr OptionTable kHeldOutChildren{
    reference("data", "dataset", nullptr, "Problems; its rows from the beginning.",
              {.flags = TENON_O_REQUIRED}),
    reference("rewards", "reward", nullptr,
              "What measures a completion; the mean of the first one is held_out/accuracy, which the rules "
              "below look at.",
              {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kRewardChildren),
    integer("every", "20",
            "Steps between evaluations; there is one more before the first step, and one behind the last.",
            {.min = "1", .max = "1000000000", .unit = "steps"}),
    integer("problems", "128", "How many.", {.min = "1", .max = "1000000000", .unit = "problems"}),
    integer("samples", "1", "Completions of each.", {.min = "1", .max = "65536", .unit = "completions"}),
    number("temperature", nullptr, "Of sampling; by default the stage's.", {.min = "0", .max = "100"}),
    integer("max_new_tokens", nullptr, "By default the stage's.",
            {.min = "1", .max = "16777216", .unit = "tokens"}),
    kStopAfterOption,
    kMinImprovementOption,
    kKeepOption};
inline constexpr tenon_option kHeldOutOption =
    object("held_out", kHeldOutChildren, "Evaluates the policy on other problems while it trains.");

}  // namespace tenon::stages
