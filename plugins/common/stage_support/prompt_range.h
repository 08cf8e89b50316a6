// Which prompts of a data set a stage samples from, a number of them a step: the options `problems`, `first` and `prompts`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stage_support/row_text.h"

namespace tenon::stages {

class PromptRange {
 public:
  // Reads the options. Throws, naming the option, where all of a data set without end are wanted.
  PromptRange(const Host& host, const Dataset& data);

  // The index behind the last one, as far as it is known before the run.
  uint64_t end() const { return problems_ == 0 ? UINT64_MAX : first_ + problems_; }

  // When the stage runs: settles how many there are. Throws where `first` is behind the last row.
  void settle();
  // Of what was settled.
  uint64_t problems() const { return problems_; }
  uint64_t steps() const { return (problems_ + prompts_ - 1) / prompts_; }
  // The rows of a step, each with its index in the data set.
  std::vector<Row> rows(const tenon_call* call, uint64_t step) const;

 private:
  Dataset data_;
  uint64_t problems_, first_, prompts_;
};

inline constexpr tenon_option kFirstOption =
    integer("first", "0", "Index of the first one.", {.min = "0", .max = "1000000000000"});
inline constexpr tenon_option kPromptsOption =
    integer("prompts", "64", "Prompts of one step.", {.min = "1", .max = "1048576", .unit = "prompts"});

}  // namespace tenon::stages
