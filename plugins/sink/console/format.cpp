// Numbers and times for people.
// SPDX-License-Identifier: Apache-2.0
#include "format.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace tenon::console {
namespace {

template <class... Args>
std::string print(const char* format, Args... args) {
  char text[64];
  int n = std::snprintf(text, sizeof text, format, args...);
  return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
}

}  // namespace

std::string number(double value) {
  if (std::isnan(value)) return "-";
  double size = std::abs(value);
  if (size != 0 && size < 1e-3) return print("%.1e", value);
  if (size < 10) return print("%.3f", value);
  if (size < 1000) return print("%.1f", value);
  return size < 1e6 ? print("%.0f", value) : print("%.2e", value);
}

std::string rate(double value) {
  if (!std::isfinite(value)) return "-";
  if (value < 1000) return print("%.0f", value);
  return value < 1e6 ? print("%.1fk", value / 1e3) : print("%.1fM", value / 1e6);
}

std::string duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "-";
  auto s = static_cast<int64_t>(seconds + 0.5);
  int hours = static_cast<int>(s / 3600), minutes = static_cast<int>(s / 60 % 60),
      rest = static_cast<int>(s % 60);
  return hours > 0 ? print("%d:%02d:%02d", hours, minutes, rest) : print("%d:%02d", minutes, rest);
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string fitted(const std::string& head, std::vector<Field> fields, const std::string& tail,
                   size_t columns) {
  for (;;) {
    std::string line = head;
    for (const Field& f : fields) line += "  " + f.text;
    if (!tail.empty()) line += "  " + tail;
    if (fields.empty() || columns_of(line) <= columns) return line;
    fields.erase(std::min_element(fields.begin(), fields.end(),
                                  [](const Field& a, const Field& b) { return a.rank < b.rank; }));
  }
}

std::string_view first_columns(std::string_view text, size_t columns) {
  size_t i = 0;
  for (; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && columns-- == 0) break;
  return text.substr(0, i);
}

}  // namespace tenon::console
