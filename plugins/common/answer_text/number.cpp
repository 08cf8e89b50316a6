// Written numbers to exact rationals.
// SPDX-License-Identifier: Apache-2.0
#include "answer_text/number.h"

#include <string>

#include "answer_text/extract.h"

namespace tenon::answer_text {
namespace {

using boost::multiprecision::cpp_int;
constexpr size_t kMaxDigits = 200;
constexpr int kMaxExponent = 200;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool take(std::string_view& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}

// The digits before the point, without their commas; nothing if commas do not part groups of three.
std::optional<std::string> whole_part(std::string_view s) {
  if (s.find(',') == std::string_view::npos) return std::string(s);
  std::string out;
  for (size_t group = 0; !s.empty(); ++group) {
    size_t end = std::min(s.find(','), s.size());
    if (group == 0 ? end == 0 || end > 3 : end != 3) return std::nullopt;
    out += s.substr(0, end);
    if (end == s.size()) return out;
    s.remove_prefix(end + 1);
  }
  return std::nullopt;  // ends in a comma
}

// cpp_int reads "0x…" and a leading 0 as other bases.
cpp_int decimal(std::string_view digits) {
  size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? cpp_int(0) : cpp_int(std::string(digits.substr(first)));
}

std::optional<Rational> unsigned_decimal(std::string_view s) {
  int exponent = 0;
  if (size_t e = s.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view power = s.substr(e + 1);
    bool negative = power.starts_with('-');
    if (negative || power.starts_with('+')) power.remove_prefix(1);
    if (power.empty() || power.size() > 3) return std::nullopt;
    for (char c : power) {
      if (!is_digit(c)) return std::nullopt;
      exponent = exponent * 10 + (c - '0');
    }
    if (exponent > kMaxExponent) return std::nullopt;
    if (negative) exponent = -exponent;
    s = s.substr(0, e);
  }
  size_t point = std::min(s.find('.'), s.size());
  std::string_view fraction = point < s.size() ? s.substr(point + 1) : std::string_view();
  auto whole = whole_part(s.substr(0, point));
  if (!whole || whole->size() + fraction.size() == 0 || whole->size() + fraction.size() > kMaxDigits)
    return std::nullopt;
  std::string digits = *whole;
  digits += fraction;
  for (char c : digits)
    if (!is_digit(c)) return std::nullopt;
  exponent -= static_cast<int>(fraction.size());
  cpp_int scale =
      boost::multiprecision::pow(cpp_int(10), static_cast<unsigned>(exponent < 0 ? -exponent : exponent));
  return exponent < 0 ? Rational(decimal(digits), scale) : Rational(decimal(digits) * scale);
}

}  // namespace

std::optional<Rational> parse_number(std::string_view text) {
  std::string_view s = trim(text);
  if (s.ends_with('.')) s = trim(s.substr(0, s.size() - 1));
  bool negative = false, signed_ = false, currency = false;
  while (true) {  // "-$5" and "$-5"
    if (!signed_ && (take(s, "-") || take(s, "\xE2\x88\x92"))) {
      negative = signed_ = true;
    } else if (!signed_ && take(s, "+")) {
      signed_ = true;
    } else if (!currency && (take(s, "\\$") || take(s, "$") || take(s, "€") || take(s, "£"))) {
      currency = true;
    } else {
      break;
    }
    s = trim(s);
  }
  if (s.ends_with('%')) {
    s.remove_suffix(s.ends_with("\\%") ? 2 : 1);
    s = trim(s);
  }
  std::optional<Rational> value;
  if (size_t slash = s.find('/'); slash != std::string_view::npos) {
    auto above = unsigned_decimal(trim(s.substr(0, slash))),
         below = unsigned_decimal(trim(s.substr(slash + 1)));
    if (!above || !below || *below == 0) return std::nullopt;
    value = *above / *below;
  } else {
    value = unsigned_decimal(s);
  }
  if (value && negative) *value = -*value;
  return value;
}

bool within(const Rational& a, const Rational& b, const Rational& tolerance) {
  Rational difference = a - b;
  return (difference < 0 ? Rational(-difference) : difference) <= tolerance;
}

}  // namespace tenon::answer_text
