// Numbers in messages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace tenon::algorithm_support {

// The shortest text that reads back as x; for a number that a float holds, the shortest that reads back as that float: -1.1 for -1.1f. 1e-09, inf, nan.
inline std::string number_text(double x) {
  char text[32];
  const float near = std::abs(x) <= double{std::numeric_limits<float>::max()} ? static_cast<float>(x) : 0;
  const auto end = double{near} == x ? std::to_chars(text, text + sizeof text, near)
                                     : std::to_chars(text, text + sizeof text, x);
  return std::string(text, end.ptr);
}

}  // namespace tenon::algorithm_support
