// Column charts in text.
// SPDX-License-Identifier: Apache-2.0
#include "chart.h"

#include <algorithm>
#include <cmath>

#include "format.h"

namespace tenon::console {
namespace {

double mean(const std::vector<double>& v, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += v[i];
  return sum / static_cast<double>(end - begin);
}

// The height of a bar in this row, in eighths of a character: 0 … 8.
size_t eighths(double height, size_t row) {
  return static_cast<size_t>(std::clamp(std::lround((height - static_cast<double>(row)) * 8), 0L, 8L));
}

const char* block(size_t eighth, bool unicode) {
  static constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  return unicode ? kBlocks[eighth] : eighth >= 4 ? "#" : " ";
}

std::string padded(std::string text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

}  // namespace

std::string chart(const Curve& curve, const ChartStyle& style) {
  std::vector<double> value;
  std::vector<uint64_t> step;
  for (size_t i = 0; i < curve.value.size(); ++i) {
    if (!std::isfinite(curve.value[i])) continue;
    value.push_back(curve.value[i]);
    step.push_back(curve.step[i]);
  }
  if (value.size() < 2 || style.width == 0 || style.height == 0) return "";

  size_t columns = std::min(style.width, value.size());
  std::vector<double> bar(columns);
  for (size_t c = 0; c < columns; ++c)
    bar[c] = mean(value, c * value.size() / columns, (c + 1) * value.size() / columns);
  double low = *std::min_element(bar.begin(), bar.end()), high = *std::max_element(bar.begin(), bar.end());
  if (low == high) low -= 0.5, high += 0.5;

  size_t tenth = std::max<size_t>(1, value.size() / 10);
  std::string out = "  " + curve.title + "  " + number(mean(value, 0, tenth)) +
                    (style.unicode ? " → " : " -> ") +
                    number(mean(value, value.size() - tenth, value.size())) + "\n";
  for (size_t row = style.height; row-- > 0;) {
    std::string label = row + 1 == style.height ? number(high) : row == 0 ? number(low) : "";
    out += padded(label, 10) + (style.unicode ? " ┤" : " |");
    std::string line;
    for (double b : bar) {
      // The lowest bar keeps one eighth, so that it is seen.
      double height = 0.125 + (b - low) / (high - low) * (static_cast<double>(style.height) - 0.125);
      line += block(eighths(height, row), style.unicode);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  std::string first = std::to_string(step.front() + 1), last = std::to_string(step.back() + 1);
  size_t gap = columns > first.size() + last.size() ? columns - first.size() - last.size() : 1;
  return out + std::string(12, ' ') + first + std::string(gap, ' ') + last + "\n";
}

}  // namespace tenon::console
