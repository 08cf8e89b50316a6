// What reasons have in common that differ from sample to sample.
// SPDX-License-Identifier: Apache-2.0
#include "host/reason_shape.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace tenon::host {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}
// What may stand between and around the numbers of a calculation or a list.
bool is_sign(char c) {
  return std::string_view("+-*/=.,^%()[]{}<>:").find(c) != std::string_view::npos;
}

// The quotation that begins at `at`: its length, 0: none begins there. One that does not end goes to the end of the text.
size_t quoted(std::string_view text, size_t at) {
  constexpr std::string_view kPairs[][2] = {{"\"", "\""}, {"`", "`"}, {"“", "”"}, {"'", "'"}};
  for (const auto& [open, close] : kPairs) {
    if (!text.substr(at).starts_with(open)) continue;
    // An apostrophe is none.
    if (open == "'" && at > 0 && (is_letter(text[at - 1]) || is_digit(text[at - 1]))) return 0;
    const size_t end = text.find(close, at + open.size());
    return end == std::string_view::npos ? text.size() - at : end + close.size() - at;
  }
  return 0;
}

// Whether a number that follows on this text is data.
bool is_data_behind(std::string_view before) {
  constexpr std::string_view kTelling[] = {"status", "code", "signal", "error", "errno", "HTTP", "step"};
  if (before.empty()) return true;
  const char last = before.back();
  if (is_letter(last) || last == '#') return false;
  if (last == ':' && before.size() > 1 && is_letter(before[before.size() - 2])) return false;
  while (!before.empty() && (before.back() == ' ' || before.back() == '=')) before.remove_suffix(1);
  return std::none_of(std::begin(kTelling), std::end(kTelling),
                      [&](std::string_view word) { return before.ends_with(word); });
}

// The end of the numbers that begin at `at`, and of what belongs to them: "3.5e7", "0x1f", "31s", "1 + 4 - 1 =".
size_t end_of_numbers(std::string_view text, size_t at) {
  size_t end = at;
  for (size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    const bool belongs_to_word = is_letter(c) && end == i;
    if (is_digit(c) || belongs_to_word || (is_sign(c) && c != ':'))
      end = i + 1;
    else if (c != ' ' && c != ':')
      break;
  }
  return end;
}

}  // namespace

std::string reason_shape(std::string_view reason) {
  std::string shape;
  for (size_t i = 0; i < reason.size();) {
    if (const size_t n = quoted(reason, i); n > 0) {
      shape += "\"…\"";
      i += n;
    } else if (is_digit(reason[i])) {
      const bool is_data = is_data_behind(reason.substr(0, i));
      size_t end = i + 1;
      if (is_data) {
        end = end_of_numbers(reason, i);
        while (!shape.empty() && shape.back() != ':' && is_sign(shape.back())) shape.pop_back();
        shape += '#';
      } else {
        while (end < reason.size() && is_digit(reason[end])) ++end;
        shape += reason.substr(i, end - i);
      }
      i = end;
    } else {
      shape += reason[i++];
    }
  }
  return shape;
}

}  // namespace tenon::host
