// Numbers: decimals, repeating decimals, other bases, and selections written as C and A with their two numbers.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "math_answer/parser_impl.h"
#include "math_answer/vocabulary.h"

namespace tenon::math_answer {
namespace {

Rational integer_of(std::string_view digits) {
  Rational value;
  const std::string text(digits);
  if (fmpz_set_str(value.num(), text.c_str(), 10) != 0)
    throw ParseError("not a number: " + text.substr(0, 20));
  return value;
}

// "0.1666" before an ellipsis as the number it goes on to; nothing where no period shows, three digits long or longer and there twice.
std::optional<Rational> repeated(std::string_view text) {
  const std::string_view digits = text.substr(text.find('.') + 1);
  if (!all_digits(digits) || digits.size() > 60) return std::nullopt;
  for (size_t period = 1; 2 * period <= digits.size(); ++period) {
    size_t same = period;  // digits at the end that agree with a period
    while (same < digits.size() &&
           digits[digits.size() - 1 - same] == digits[digits.size() - 1 - same + period])
      ++same;
    if (same < std::max<size_t>(3, 2 * period)) continue;
    const Rational shown = number_of(text).value;
    const Rational unit = Rational::power_of_ten(-static_cast<int64_t>(digits.size()));
    const Rational nines = Rational::power_of_ten(static_cast<int64_t>(period)) - Rational(1);
    return shown + integer_of(digits.substr(digits.size() - period)) / nines * unit;
  }
  return std::nullopt;
}

}  // namespace

bool all_digits(std::string_view s) {
  return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  return 99;
}

namespace {

// "two hundred and five" as its words; an "and" counts behind hundred and thousand alone.
std::optional<int64_t> cardinal(std::span<const std::string> words) {
  int64_t total = 0, below = 0, least = 0;  // least: the last multiplier; the next must be smaller
  bool any = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "and") {
      if (i == 0 || i + 1 == words.size() || (words[i - 1] != "hundred" && words[i - 1] != "thousand"))
        return std::nullopt;
      continue;
    }
    const auto value = number_word(word);
    if (word == "million" || word == "billion" || (value && *value == 1000)) {
      const int64_t factor = value ? 1000 : word == "million" ? 1000000 : 1000000000;
      if (least != 0 && factor >= least) return std::nullopt;
      total += (any && below > 0 ? below : 1) * factor;
      least = factor;
      below = 0;
    } else if (!value) {
      return std::nullopt;
    } else if (*value == 100) {
      if (below > 99) return std::nullopt;
      below = std::max<int64_t>(below, 1) * 100;
    } else {
      const bool ones_of_tens = *value > 0 && *value < 10 && below % 100 >= 20 && below % 10 == 0;
      if (below % 100 != 0 && !ones_of_tens) return std::nullopt;
      if (any && *value == 0) return std::nullopt;
      below += *value;
    }
    any = true;
  }
  if (!any) return std::nullopt;
  return total + below;
}

}  // namespace

std::string ordinal_numeral(int64_t n) {
  const int64_t last = n % 100 / 10 == 1 ? 0 : n % 10;
  return std::to_string(n) + (last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
}

std::string ordinal_in_words(std::string_view words) {
  const size_t hyphen = words.find('-');
  const auto last = ordinal_word(words.substr(hyphen == std::string_view::npos ? 0 : hyphen + 1));
  if (!last) return {};
  if (hyphen == std::string_view::npos) return ordinal_numeral(*last);
  const auto tens = number_word(words.substr(0, hyphen));
  const bool fits = tens && *tens >= 20 && *tens < 100 && *tens % 10 == 0 && *last < 10;
  return fits ? ordinal_numeral(*tens + *last) : std::string();
}

std::optional<Rational> number_in_words(std::string_view text) {
  const std::string_view first = text.substr(0, text.find_first_of(" -"));
  const bool begins = number_word(first) || first == "half" || first == "a" || first == "an" ||
                      first == "million" || first == "billion";
  if (!begins) return std::nullopt;
  std::vector<std::string> words(1);
  for (char c : text) {
    if (c != ' ' && c != '-')
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.size() > 16 || words.back().empty()) return std::nullopt;
  const size_t n = words.size();
  if (n == 1 && words[0] == "half") return Rational(1) / Rational(2);
  // a million, half a million; a dozen and half a dozen, which are no part of a longer number
  const std::string& last = words[n - 1];
  const bool half = words[0] == "half";
  if (n == (half ? 3 : 2) && (words[n - 2] == "a" || words[n - 2] == "an")) {
    const int64_t size = last == "dozen" ? 12 : cardinal(std::span(words).last(1)).value_or(0);
    if (size == 12 ? last == "dozen" : size >= 100) return Rational(size) / Rational(half ? 2 : 1);
  }
  // … and a half
  if (n > 3 && words[n - 3] == "and" && words[n - 2] == "a") {
    const auto whole = cardinal(std::span(words).first(n - 3));
    const int64_t part = denominator_word(words[n - 1], true);
    if (!whole || part == 0) return std::nullopt;
    return Rational(*whole) + Rational(1) / Rational(part);
  }
  if (auto whole = cardinal(words)) return Rational(*whole);
  if (n < 2) return std::nullopt;
  const auto top = (words[0] == "a" || words[0] == "an") && n == 2 ? std::optional<int64_t>(1)
                                                                   : cardinal(std::span(words).first(n - 1));
  if (!top) return std::nullopt;
  const int64_t below = denominator_word(words[n - 1], *top == 1);
  if (below == 0) return std::nullopt;
  return Rational(*top) / Rational(below);
}

Number number_of(std::string_view text) {
  Number n;
  int64_t exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (exponent > 5000 || exponent < -5000) throw LimitError("an exponent beyond 5,000");
    n.is_decimal = true;
    text = text.substr(0, e);
  }
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  size_t decimals = 0;
  if (point != std::string_view::npos) {
    decimals = text.size() - point - 1;
    digits += text.substr(point + 1);
    n.is_decimal = n.is_decimal || decimals > 0;
  }
  if (digits.empty()) throw ParseError("a number without digits");
  n.value = integer_of(digits);
  n.decimals = static_cast<int>(static_cast<int64_t>(decimals) - exponent);
  n.significant = static_cast<int>(digits.size() - std::min(digits.find_first_not_of('0'), digits.size()));
  const int64_t shift = exponent - static_cast<int64_t>(decimals);
  if (shift != 0) n.value = n.value * Rational::power_of_ten(shift);
  return n;
}

NodeId Parser::number() {
  const Token token = take();
  if (auto based = based_number(token.text, 0)) return *based;
  if (at(T::kAccent) && !peek().space && (peek().text == "overline" || peek().text == "dot") &&
      token.text.find('.') != std::string::npos)
    return repeating(token);
  Number n = number_of(token.text);
  if (at(T::kDots) && token.text.find('.') != std::string::npos) {
    take();
    if (auto value = repeated(token.text)) {
      n.value = *value;
      n.is_decimal = false;
    } else {
      n.is_truncated = true;
    }
  }
  return tree_.add_number(std::move(n));
}

// 204_5, 152A_{11}: the digits may go on in letters up to the subscript.
std::optional<NodeId> Parser::based_number(std::string digits, size_t ahead) {
  // The fraction's digits count as well: 0.011_2.
  size_t decimals = 0;
  if (const size_t point = digits.find('.');
      point != std::string::npos && digits.find_first_of("eE") == std::string::npos) {
    decimals = digits.size() - point - 1;
    digits.erase(point, 1);
  }
  bool has_letters = !all_digits(digits);
  size_t k = ahead;
  for (; !peek(k).space &&
         (peek(k).kind == T::kLetter || peek(k).kind == T::kWord || peek(k).kind == T::kNumber);
       ++k) {
    if (peek(k).text.size() > 8 || peek(k).text.find_first_of("_.") != std::string::npos) return std::nullopt;
    digits += peek(k).text;
    has_letters = has_letters || peek(k).kind != T::kNumber;
  }
  if (peek(k).kind != T::kUnder) return std::nullopt;
  const bool braces = peek(k + 1).kind == T::kLBrace;
  const Token& mark = peek(k + (braces ? 2 : 1));
  if (braces && peek(k + 3).kind != T::kRBrace) return std::nullopt;
  int base = 0;
  if (mark.kind == T::kNumber && all_digits(mark.text) && mark.text.size() <= 2) {
    base = std::stoi(mark.text);
  } else if (mark.kind == T::kText || mark.kind == T::kWord) {
    base = all_digits(mark.text) && mark.text.size() <= 2 ? std::stoi(mark.text)
                                                          : number_word(lower_case(mark.text)).value_or(0);
  }
  if (base < 2 || base > 36 || (has_letters && base <= 10)) return std::nullopt;
  if (digits.size() > 2000) throw LimitError("a number of more than 2,000 digits in another base");
  Number n;
  for (char c : digits) {
    if (digit_value(c) >= base) fail("the digit " + std::string(1, c) + " in base " + std::to_string(base));
    n.value = n.value * Rational(base) + Rational(digit_value(c));
  }
  if (decimals > 0) n.value = n.value / Rational(base).power(static_cast<int64_t>(decimals));
  n.base = base;
  for (size_t taken = 0; taken < k + (braces ? 4 : 2); ++taken) take();
  return tree_.add_number(std::move(n));
}

// 0.1\overline{6}
NodeId Parser::repeating(const Token& token) {
  take();
  const bool braces = accept(T::kLBrace);
  if (!at(T::kNumber) || !all_digits(peek().text) || peek().text.size() > 60)
    fail("a bar over something else than digits");
  const std::string period = take().text;
  if (braces) expect(T::kRBrace, "the bar's braces are not closed");
  Number n = number_of(token.text);
  const int64_t decimals = static_cast<int64_t>(token.text.size() - token.text.find('.') - 1);
  const Rational nines = Rational::power_of_ten(static_cast<int64_t>(period.size())) - Rational(1);
  n.value = n.value + integer_of(period) / nines / Rational::power_of_ten(decimals);
  n.is_decimal = false;
  return tree_.add_number(std::move(n));
}

// An integer below or above the line, in braces or not: nothing is taken where there is none.
std::optional<Rational> Parser::script(size_t& ahead) const {
  size_t k = ahead + 1;
  const bool braces = peek(k).kind == T::kLBrace;
  k += braces ? 1 : 0;
  if (peek(k).kind != T::kNumber || !all_digits(peek(k).text)) return std::nullopt;
  const Rational value = integer_of(peek(k).text);
  if (braces && peek(++k).kind != T::kRBrace) return std::nullopt;
  ahead = k + 1;
  return value;
}

// C_{10}^3, C^3_{10}, A_5^2, _{10}C_3, {}_{10}C_3: selections of numbers. Nothing is taken where there is none.
std::optional<NodeId> Parser::selection() {
  size_t k = 0;
  std::optional<Rational> first, second;
  if (at(T::kLBrace) && peek(1).kind == T::kRBrace) k = 2;
  const bool before = peek(k).kind == T::kUnder || (k > 0 && peek(k).kind == T::kCaret);
  if (before && !(first = script(k))) return std::nullopt;
  if (peek(k).kind != T::kLetter || (k > 0 && !first)) return std::nullopt;
  const std::string name = peek(k).text;
  if (name != "C" && name != "A" && !(first && name == "P")) return std::nullopt;
  ++k;
  const bool below = peek(k).kind == T::kUnder;
  if (!below && peek(k).kind != T::kCaret) return std::nullopt;
  if (!first) {
    if (!(first = script(k)) || peek(k).kind != (below ? T::kCaret : T::kUnder)) return std::nullopt;
  }
  if (!(second = script(k))) return std::nullopt;
  if (*first < *second) std::swap(first, second);
  for (size_t taken = 0; taken < k; ++taken) take();
  const NodeId n = tree_.add_number({.value = *first}), m = tree_.add_number({.value = *second});
  return made(name == "C" ? Function::kBinomial : Function::kPermutations, {n, m});
}

}  // namespace tenon::math_answer
