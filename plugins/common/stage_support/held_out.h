// Evaluation of a policy while it trains: on problems held out, every so many steps; with it early stopping, and the best parameters kept.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "stage_support/sampled.h"
#include "tenon/state.hpp"

namespace tenon::stages {

// The parameters of a model, copied. CPU only, fp32.
class ParameterCopy {
 public:
  // Throws TENON_E_UNSUPPORTED of parameters that are elsewhere or of another type.
  void take(const Model& model);
  // Puts them back and announces them as `version`.
  void restore(const tenon_call* call, const Model& model, uint64_t version) const;
  bool empty() const { return tensors_.empty(); }
  void save(Writer& w) const;
  void load(Reader& r);

 private:
  std::vector<std::vector<float>> tensors_;
};

// The option `held_out` of a stage that trains a policy by sampling. What it samples does not move the run's random numbers: a run with it takes the same steps as
// without, until it stops one.
class HeldOut {
 public:
  // Nothing if the option is not given. Reads held_out.… and, where that does not say, the stage's options of sampling.
  static std::optional<HeldOut> of(const Host& host, const Model& model, const Tokenizer& tokenizer);
  // Rules between its options, for the stage's `check`.
  static void check(const Host& host, Findings& findings);

  // Behind the updates of step `step` of `steps`: evaluates, if it is its turn, and records held_out/…. True: accuracy has not risen for `stop_after` evaluations,
  // and training is to end here.
  bool after(const tenon_call* call, uint64_t step, uint64_t steps);
  // `after` has said so: for a stage that goes on from the checkpoint of that step.
  bool has_ended() const { return has_ended_; }
  // At the end of training: the best parameters, if they are wanted and are not the last. version: that of the parameters now in the model; it is counted on.
  void finish(const tenon_call* call, uint64_t& version) const;

  void save(Writer& w) const;
  void load(Reader& r);

 private:
  HeldOut(const Host& host, const Model& model, const Tokenizer& tokenizer);

  Host host_;
  Model model_;
  Tokenizer tokenizer_;
  Dataset data_;
  CompletionSampler sampler_;
  uint64_t problems_, samples_, every_, stop_after_;
  double min_improvement_;
  bool keeps_best_;
  // State.
  double best_ = 0,
         bar_ = 0;  // best: highest accuracy; bar: that of the last evaluation that counted as a rise
  uint64_t evaluations_ = 0, since_ = 0, best_step_ = 0;
  bool best_is_last_ = true, has_ended_ = false;
  ParameterCopy copy_;
};

inline constexpr const char* kKeep[] = {"last", "best", nullptr};
inline constexpr OptionTable kHeldOutChildren{
    reference("data", "dataset", nullptr, "Problems; its rows from the beginning.",
              {.flags = TENON_O_REQUIRED}),
    reference("rewards", "reward", nullptr,
              "What measures a completion; the mean of the first one is held_out/accuracy, which the rules "
              "below look at.",
              {.flags = TENON_O_REQUIRED | TENON_O_LIST}, kRewardChildren),
    integer("every", "20", "Steps between evaluations; there is one more behind the last step.",
            {.min = "1", .max = "1000000000", .unit = "steps"}),
    integer("problems", "128", "How many.", {.min = "1", .max = "1000000000", .unit = "problems"}),
    integer("samples", "1", "Completions of each.", {.min = "1", .max = "65536", .unit = "completions"}),
    number("temperature", nullptr, "Of sampling; by default the stage's.", {.min = "0", .max = "100"}),
    integer("max_new_tokens", nullptr, "By default the stage's.",
            {.min = "1", .max = "16777216", .unit = "tokens"}),
    integer("stop_after", "0",
            "Training ends when the accuracy has not risen for so many evaluations (near convergence, or "
            "past the "
            "best: over-optimisation). 0: never.",
            {.min = "0", .max = "1000000", .unit = "evaluations"}),
    number("min_improvement", "0", "Of stop_after: how much more counts as a rise.",
           {.min = "0", .max = "1000000"}),
    choice("keep", kKeep, "\"last\"",
           "The parameters that the stage ends with: the last, or those of the best evaluation. best keeps a "
           "copy "
           "of all parameters, also in checkpoints.")};
inline constexpr tenon_option kHeldOutOption =
    object("held_out", kHeldOutChildren, "Evaluates the policy on other problems while it trains.");

}  // namespace tenon::stages
