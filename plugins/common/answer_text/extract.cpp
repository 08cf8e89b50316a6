// Extractors of answers: linear scans.
// SPDX-License-Identifier: Apache-2.0
#include "answer_text/extract.h"

#include <array>
#include <stdexcept>

namespace tenon::answer_text {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<std::string_view> non_empty(std::string_view text) {
  text = trim(text);
  return text.empty() ? std::nullopt : std::optional(text);
}

constexpr std::string_view kMinus = "\xE2\x88\x92";  // U+2212

// One past the number that begins at i (digits, or a point and digits).
size_t number_end(std::string_view s, size_t i) {
  auto digits = [&](size_t at) {
    while (at < s.size() && is_digit(s[at])) ++at;
    return at;
  };
  auto decimals = [&](size_t at) {
    return at + 1 < s.size() && s[at] == '.' && is_digit(s[at + 1]) ? digits(at + 1) : at;
  };
  auto exponent = [&](size_t at) {
    size_t from = at + 1;
    if (at >= s.size() || (s[at] != 'e' && s[at] != 'E')) return at;
    if (from < s.size() && (s[from] == '-' || s[from] == '+')) ++from;
    const size_t end = digits(from);
    const bool goes_on =
        end < s.size() && ((s[end] >= 'a' && s[end] <= 'z') || (s[end] >= 'A' && s[end] <= 'Z'));
    return end > from && !goes_on ? end : at;
  };
  size_t begin = i;
  i = digits(i);
  if (i - begin >= 1 && i - begin <= 3) {  // thousands: groups of exactly three
    while (i + 3 < s.size() && s[i] == ',' && digits(i + 1) == i + 4) i += 4;
  }
  i = decimals(i);
  i = exponent(i);
  if (i + 1 < s.size() && s[i] == '/' && is_digit(s[i + 1])) i = decimals(digits(i + 1));
  if (i < s.size() && s[i] == '%') ++i;
  return i;
}

// Where the number at `begin` starts if a sign before it belongs to it.
size_t with_sign(std::string_view s, size_t begin) {
  size_t at = begin;
  if (at > 0 && s[at - 1] == '$') --at;
  size_t width = at > 0 && (s[at - 1] == '-' || s[at - 1] == '+') ? 1
                 : at >= 3 && s.substr(at - 3, 3) == kMinus       ? 3
                                                                  : 0;
  if (width == 0) return begin;
  at -= width;
  size_t before = at;
  while (before > 0 && s[before - 1] == ' ') --before;
  char c = before > 0 ? s[before - 1] : ' ';
  bool operand =
      is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ')' || c == ']' || c == '}';
  // "5-3" and "5 - 3" subtract; "is -3" and "x: -3" do not: between a letter and the sign there must be a
  // space, after the sign none.
  bool letter = operand && !is_digit(c) && c != ')' && c != ']' && c != '}';
  if (operand && !(letter && before < at)) return begin;
  return at;
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> after_last(std::string_view text, std::string_view tag) {
  size_t at = text.rfind(tag);
  if (at == std::string_view::npos) return std::nullopt;
  return non_empty(text.substr(at + tag.size()));
}

std::optional<std::string_view> between_last(std::string_view text, std::string_view open,
                                             std::string_view close) {
  size_t end = text.rfind(close);
  if (end == std::string_view::npos) return std::nullopt;
  size_t begin = text.substr(0, end).rfind(open);
  if (begin == std::string_view::npos) return std::nullopt;
  begin += open.size();
  return non_empty(text.substr(begin, end - begin));
}

std::optional<std::string_view> after_hash(std::string_view text) {
  auto rest = after_last(text, "####");
  if (!rest) return std::nullopt;
  return non_empty(rest->substr(0, rest->find('\n')));
}

std::optional<std::string_view> last_boxed(std::string_view text) {
  static constexpr std::array<std::string_view, 2> kCommands = {"\\boxed", "\\fbox"};
  std::optional<std::string_view> found;
  for (size_t i = text.find('\\'); i != std::string_view::npos; i = text.find('\\', i + 1)) {
    for (std::string_view command : kCommands) {
      if (text.substr(i, command.size()) != command) continue;
      size_t at = i + command.size();
      while (at < text.size() && text[at] == ' ') ++at;
      if (at < text.size() && text[at] == '{') {
        size_t depth = 0, end = at;
        for (; end < text.size(); ++end) {
          if (text[end] == '\\') {
            ++end;
          } else if (text[end] == '{') {
            ++depth;
          } else if (text[end] == '}' && --depth == 0) {
            break;
          }
        }
        if (end >= text.size()) return found;  // not closed: no later one can be either
        if (auto inside = non_empty(text.substr(at + 1, end - at - 1))) found = inside;
      } else if (at > i + command.size()) {
        size_t end = at;
        while (end < text.size() && !is_space(text[end]) && text[end] != '$') ++end;
        if (auto word = non_empty(text.substr(at, end - at))) found = word;
      }
    }
  }
  return found;
}

std::optional<std::string_view> last_number(std::string_view text) {
  std::optional<std::string_view> found;
  for (size_t i = 0; i < text.size();) {
    bool point = text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]);
    if (!is_digit(text[i]) && !point) {
      ++i;
      continue;
    }
    size_t end = number_end(text, i), begin = with_sign(text, i);
    found = text.substr(begin, end - begin);
    i = end;
  }
  return found;
}

std::optional<std::string_view> find_answer(std::string_view how, std::string_view text, const Marks& marks) {
  if (how == "after-tag") return after_last(text, marks.tag);
  if (how == "between-tags") return between_last(text, marks.open, marks.close);
  if (how == "after-hash") return after_hash(text);
  if (how == "boxed") return last_boxed(text);
  if (how == "last-number") return last_number(text);
  if (how == "whole") return non_empty(text);
  throw std::invalid_argument("answers are not found by \"" + std::string(how) + "\"");
}

}  // namespace tenon::answer_text
