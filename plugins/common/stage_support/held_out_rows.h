// Evaluation of a model while it trains: on rows held out, by the loss that it is trained with; with it early stopping, and the best parameters kept.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "stage_support/evaluation_rules.h"

namespace tenon::stages {

// What one evaluation measured, in the order of being put.
class HeldOutNumbers {
 public:
  // name: as in metrics, without the "held_out/" before it.
  void measured(const std::string& name, double value) { values_.emplace_back(name, value); }
  double at(const std::string& name) const;
  const std::vector<std::pair<std::string, double>>& values() const { return values_; }
  void save(Writer& w) const;
  void load(Reader& r);

 private:
  std::vector<std::pair<std::string, double>> values_;
};

// The option `held_out` of a stage that trains on rows. A run with it takes the same steps as without, until it stops one.
class HeldOutRows {
 public:
  // Numbers of the rows [0, n) of `data` with the parameters as they are, `loss` among them. It draws nothing from the run's random numbers and moves no cursor.
  using Judge = std::function<HeldOutNumbers(const tenon_call*, const Dataset& data, uint64_t n)>;

  // The number that the rules look at: the loss, or what the option `by` says.
  enum class By { kLoss, kOption };
  // Nothing if the option is not given. try_row: throws Error with the reason why a row cannot be used; of all rows before the first step (row_check.h).
  static std::optional<HeldOutRows> of(const Host& host, const Model& model, By by,
                                       const std::function<void(const Row&)>& try_row, Judge judge);
  static void check(const Host& host, Findings& findings) { EvaluationRules::check(host, findings); }

  const Dataset& data() const { return data_; }
  // Before the first step: the model as the stage got it. Its numbers are metrics of the first step.
  void before(const tenon_call* call, uint64_t steps);
  // Behind the updates of step `step` of `steps`: evaluates, if it is its turn, and records held_out/…. True: training is to end here.
  bool after(const tenon_call* call, uint64_t step, uint64_t steps);
  bool has_ended() const { return rules_.has_ended(); }
  // At the end: the best parameters, if they are wanted, and the numbers of those that the stage ends with as its results.
  void finish(const tenon_call* call, const StageIo& io, uint64_t& version) const;

  void save(Writer& w) const;
  void load(Reader& r);

 private:
  HeldOutRows(const Host& host, const Model& model, const std::string& by, Judge judge);
  void evaluate(const tenon_call* call, uint64_t done, uint64_t steps, bool is_recorded);

  Host host_;
  Model model_;
  Dataset data_;
  std::string
      benchmark_;  // what its numbers are called among the results: numbers of other rows cannot be compared
  uint64_t rows_;
  std::string by_;
  Judge judge_;
  EvaluationRules rules_;
  HeldOutNumbers last_, best_;  // best_: while another one is the last
};

inline constexpr tenon_option kHeldOutRowsDataOption =
    reference("data", "dataset", nullptr, "Rows; those from its beginning.", {.flags = TENON_O_REQUIRED});
inline constexpr tenon_option kHeldOutRowsOption =
    integer("rows", "1024", "How many.", {.min = "1", .max = "1000000000", .unit = "rows"});
inline constexpr tenon_option kHeldOutRowsEveryOption =
    integer("every", "100",
            "Steps between evaluations; there is one more before the first step, and one behind the last.",
            {.min = "1", .max = "1000000000", .unit = "steps"});
inline constexpr OptionTable kHeldOutByLossChildren{kHeldOutRowsDataOption,  kHeldOutRowsOption,
                                                    kHeldOutRowsEveryOption, kStopAfterOption,
                                                    kMinImprovementOption,   kKeepOption};
inline constexpr const char* kHeldOutBy[] = {"loss", "accuracy", nullptr};
inline constexpr OptionTable kHeldOutByChildren{
    kHeldOutRowsDataOption,
    kHeldOutRowsOption,
    kHeldOutRowsEveryOption,
    choice("by", kHeldOutBy, "\"loss\"", "The number that the rules below look at."),
    kStopAfterOption,
    kMinImprovementOption,
    kKeepOption};
// Of stages whose only number is the loss, and of those that compare completions.
inline constexpr tenon_option kHeldOutByLossOption =
    object("held_out", kHeldOutByLossChildren, "Evaluates the model on other rows while it trains.");
inline constexpr tenon_option kHeldOutByOption =
    object("held_out", kHeldOutByChildren, "Evaluates the model on other rows while it trains.");

}  // namespace tenon::stages
