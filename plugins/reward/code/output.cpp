// Comparison of printed output in one pass over both texts.
// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>

namespace tenon::code {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

std::string_view without_end(std::string_view text) {
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// Takes the first line off.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

std::string_view take_token(std::string_view& line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  size_t n = 0;
  while (n < line.size() && !is_blank(line[n])) ++n;
  const std::string_view token = line.substr(0, n);
  line.remove_prefix(n);
  return token;
}

// A decimal number as programs print it; hexadecimal ones, "nan" and "inf" are words.
bool parse(std::string_view token, double& value) {
  if (token.empty() || token.size() > 400 ||
      token.find_first_not_of("+-.0123456789eE") != std::string_view::npos)
    return false;
  const std::string text(token);
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return *end == '\0' && std::isfinite(value);
}

bool same_token(std::string_view actual, std::string_view expected, double tolerance) {
  if (actual == expected) return true;
  double a = 0, b = 0;
  if (expected.find_first_of(".eE") == std::string_view::npos || !parse(expected, b) || !parse(actual, a))
    return false;
  return std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
}

bool same_line(std::string_view actual, std::string_view expected, Compare how, double tolerance) {
  if (how == Compare::kLines) return actual == expected;
  for (;;) {
    const std::string_view a = take_token(actual), b = take_token(expected);
    if (a.empty() || b.empty()) return a.empty() && b.empty();
    if (!same_token(a, b, tolerance)) return false;
  }
}

}  // namespace

bool same_output(std::string_view actual, std::string_view expected, Compare how, double tolerance) {
  if (how == Compare::kExact) return actual == expected;
  actual = without_end(actual);
  expected = without_end(expected);
  while (!actual.empty() && !expected.empty())
    if (!same_line(take_line(actual), take_line(expected), how, tolerance)) return false;
  return actual.empty() && expected.empty();
}

}  // namespace tenon::code
