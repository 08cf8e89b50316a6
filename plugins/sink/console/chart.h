// A small chart of one curve, in text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::console {

struct Curve {
  std::string title;
  std::vector<uint64_t> step;  // 0-based
  std::vector<double> value;   // as many; NaN is left out
};

struct ChartStyle {
  size_t width = 60, height = 6;  // of the plot, in characters
  bool unicode = true;            // eighth blocks, or '#'
};

// Lines, each ending in '\n': title with the mean of the first and the last tenth of the steps, the plot with
// its lowest and highest value, the steps. Steps that share a column are averaged. Empty if fewer than two
// values are finite.
std::string chart(const Curve& curve, const ChartStyle& style);

}  // namespace tenon::console
