// Which prompts of a data set a stage samples from.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/prompt_range.h"

#include <algorithm>

#include "stage_support/row_check.h"

namespace tenon::stages {

PromptRange::PromptRange(const Host& host, const Dataset& data)
    : data_(data),
      problems_(static_cast<uint64_t>(host.i64("problems"))),
      first_(static_cast<uint64_t>(host.i64("first"))),
      prompts_(static_cast<uint64_t>(host.i64("prompts"))) {
  if (problems_ == 0 && is_endless(data_))
    throw Error(TENON_E_INVALID, "problems: 0 means all of them, and the data set has no end: give a number");
}

void PromptRange::settle() {
  const uint64_t count = data_.count();
  if (count == TENON_COUNT_UNBOUNDED) return;
  if (first_ >= count)
    throw Error(TENON_E_INVALID, "first: " + std::to_string(first_) + " is behind the last of " +
                                     std::to_string(count) + " rows");
  problems_ = problems_ == 0 ? count - first_ : std::min(problems_, count - first_);
}

std::vector<Row> PromptRange::rows(const tenon_call* call, uint64_t step) const {
  const uint64_t begin = step * prompts_, n = std::min(prompts_, problems_ - begin);
  std::vector<Row> rows = data_.read(call, first_ + begin, n);
  for (uint64_t p = 0; p < n; ++p) rows[p].index = first_ + begin + p;
  return rows;
}

}  // namespace tenon::stages
