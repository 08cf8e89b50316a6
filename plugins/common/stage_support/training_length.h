// How long a stage trains: the options `steps` and `epochs`, of which one is given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "tenon/stage.hpp"

namespace tenon::stages {

class TrainingLength {
 public:
  // Reads both options. Throws, naming the option: `epochs` of a data set without end, and a number of steps that the optimizer in slot `optimizer` would refuse.
  // batch: rows of a step.
  TrainingLength(const Host& host, const Dataset& data, const Optimizer& optimizer, uint64_t batch);

  // Of rows that an earlier stage has yet to make it is known only when this stage runs.
  uint64_t total_steps() const;

  // For a stage's `check`: one of the two options is given, and not both.
  static void check(const Host& host, Findings& findings);

 private:
  Dataset data_;
  std::optional<int64_t> steps_;
  std::optional<double> epochs_;
  uint64_t batch_;
};

inline constexpr tenon_option kEpochsOption = number(
    "epochs", nullptr, "Times that every row is trained on; the last batch may reach into the next epoch.",
    {.min = "0.000001", .max = "1000000"});
inline constexpr tenon_option kStepsOption =
    integer("steps", nullptr, "Optimizer steps, instead of `epochs`.",
            {.min = "1", .max = "1000000000", .unit = "steps"});

}  // namespace tenon::stages
