// Numbers over steps as a line chart: SVG 1.1, one text without scripts, styles or fonts from elsewhere.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tenon::host {

struct LineChart {
  struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;  // (x, y), finite, x rising; one at least
    bool is_right = false;                          // by the scale at the right, and dashed
  };
  std::string title, x_name;
  std::vector<Series> series;  // one at least
};

// The same text for the same chart. Each scale holds all points of its series, and its ends are round numbers.
std::string svg(const LineChart& chart);

// Rising multiples of 1, 2 or 5 times a power of ten, four to ten of them, the first at most `low`, the last at least `high`.
std::vector<double> ticks(double low, double high);

}  // namespace tenon::host
