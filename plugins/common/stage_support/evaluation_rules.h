// What follows from evaluations while a model trains: when there is one, whether training ends, and which parameters it ends with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stage_support/step.h"
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

// Whether the option `held_out` is given.
bool has_held_out(const Host& host);

// The options every, stop_after, min_improvement and keep of the object `held_out`. The model as the stage got it is the first candidate: its evaluation is the first.
class EvaluationRules {
 public:
  enum class Better { kHigher, kLower };
  // what: the number that is judged, for messages: "accuracy". Throws where keep: best is wanted of a model that cannot be copied.
  EvaluationRules(const Host& host, const Model& model, std::string what, Better better);
  // Rules between the options, for a stage's `check`.
  static void check(const Host& host, Findings& findings);

  // Whether there is an evaluation behind the updates of step `step` of `steps`. Not behind the first one of several, in whose record the evaluation before training is.
  bool is_due(uint64_t step, uint64_t steps) const;
  // The number of the evaluation after `done` of `steps` steps; not finite: nothing is known of it. True: it is the best so far.
  bool judge(double value, uint64_t done, uint64_t steps);
  // The last `judge` has said that training ends, there being no better number for stop_after evaluations.
  bool has_ended() const { return has_ended_; }
  // The parameters at the end are those of an earlier evaluation.
  bool ends_with_earlier() const { return keeps_best_ && !best_is_last_ && evaluations_ > 0; }
  // At the end of training: puts the best parameters back where ends_with_earlier. version: that of the parameters now in the model; it is counted on.
  void finish(const tenon_call* call, uint64_t& version) const;

  void save(Writer& w) const;
  void load(Reader& r);

 private:
  Host host_;
  Model model_;
  std::string what_;
  double sign_;
  uint64_t every_, stop_after_;
  double min_improvement_;
  bool keeps_best_;
  // State. best: the highest number, or −1 times the lowest; bar: that of the last evaluation that counted as better.
  double best_ = 0, bar_ = 0;
  uint64_t evaluations_ = 0, since_ = 0, best_done_ = 0;
  bool best_is_last_ = true, has_ended_ = false;
  ParameterCopy copy_;
};

// The steps [io.first_step(), steps) of a stage that trains, with evaluations before the first and behind those where one is due. step(call, s) does all but step_end and gives the version of the
// parameters behind it. Held: HeldOut or HeldOutRows.
template <class Held, class Step>
void train(const tenon_call* call, const StageIo& io, uint64_t steps, std::optional<Held>& held_out,
           Step&& step) {
  bool ends = held_out && held_out->has_ended();
  if (ends) io.begin(io.first_step());
  for (uint64_t s = io.first_step(); s < steps && !ends; ++s) {
    const tenon_call now = at_step(call, s);
    if (held_out && s == 0) held_out->before(&now, steps);
    uint64_t version = step(&now, s);
    if (held_out) {
      ends = held_out->after(&now, s, steps);
      if (ends) io.begin(s + 1);
      if (ends || s + 1 == steps) held_out->finish(&now, io, version);
    }
    io.step_end(s);
  }
}

inline constexpr const char* kKeep[] = {"last", "best", nullptr};
inline constexpr tenon_option kStopAfterOption =
    integer("stop_after", "0",
            "Training ends when so many evaluations in a row were not better (near convergence, or past the "
            "best: over-optimisation). 0: never.",
            {.min = "0", .max = "1000000", .unit = "evaluations"});
inline constexpr tenon_option kMinImprovementOption = number(
    "min_improvement", "0",
    "Of stop_after: an evaluation is better when it is by more than this better than the last that was.",
    {.min = "0", .max = "1000000"});
inline constexpr tenon_option kKeepOption = choice(
    "keep", kKeep, "\"last\"",
    "The parameters that the stage ends with: the last, or those of the best evaluation, the one before "
    "training included. best keeps a copy of all parameters, also in checkpoints.");

}  // namespace tenon::stages
