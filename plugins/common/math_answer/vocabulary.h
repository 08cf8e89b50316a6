// What LaTeX commands, words and Unicode characters mean.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "math_answer/token.h"

namespace tenon::math_answer {

struct Meaning {
  T kind;
  uint8_t value = 0;
  std::string_view text = {};
};

// Of a LaTeX command without its backslash.
std::optional<Meaning> meaning_of_command(std::string_view name);
// Commands that say nothing of the value: \left, \displaystyle. And those whose argument says nothing either: \phantom{…}.
bool is_ignored_command(std::string_view name);
bool is_ignored_with_argument(std::string_view name);
// \text, \mbox: the content is words. \mathrm, \mathbf: the content is a name, or mathematics in another face.
bool is_text_command(std::string_view name);
bool is_face_command(std::string_view name);
// Of a plain word: sqrt, pi, inf, and.
std::optional<Meaning> meaning_of_word(std::string_view word);
// Of a character beyond ASCII. kEnd: white space; kText: nothing at all (zero width).
std::optional<Meaning> meaning_of_character(char32_t c);
// The ASCII that a full-width or mathematical letter or digit stands for; 0: none.
char ascii_of(char32_t c);
// 4 of "four"; up to twenty and the tens.
std::optional<int> number_word(std::string_view lower_case_word);
// 4 of "fourth"; up to the twentieth and the tens.
std::optional<int> ordinal_word(std::string_view lower_case_word);
// d of "thirds" and, where `one`, of "third": the denominator that a word names; 0: it names none.
int denominator_word(std::string_view lower_case_word, bool one);

}  // namespace tenon::math_answer
