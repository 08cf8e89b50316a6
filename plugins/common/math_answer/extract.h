// Where the answer is in a completion. Linear scans without backtracking.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "math_answer/policies.h"

namespace tenon::math_answer {

inline constexpr size_t kMaxCompletionBytes = 64 * 1024;  // of a completion the last so many are read

enum class Sign { kBoxed, kPhrase, kSpan, kNumber, kNowhere };

struct Found {
  Sign sign = Sign::kNowhere;
  std::vector<std::string> candidates;  // the first that can be read is the answer
};

// `several`: the gold has several elements, so boxes on one line are joined.
Found find_answer(std::string_view completion, const Policies& policies, bool several);

// "5 (five)", "5 (see above)" without what is said in brackets behind a number.
std::string_view without_aside(std::string_view answer);

// Without white space, dollars, bold marks, a box and a full stop around it.
std::string_view cleaned(std::string_view answer);

}  // namespace tenon::math_answer
