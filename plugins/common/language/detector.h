// Which language a sentence is in: CLD2 behind names of ISO 639-1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenon::language {

// A language by number; made by language_of_code.
struct Language {
  int cld2;  // CLD2::Language
  bool operator==(const Language&) const = default;
};

// "en", "zh", "pt-BR" (the part before "-" counts, but of "zh-Hant"); nothing: CLD2 does not know it.
std::optional<Language> language_of_code(std::string_view code);
std::string code_of(Language language);

// What CLD2 says of a text.
struct Detection {
  std::optional<Language> top;    // nothing: it cannot tell
  bool is_reliable = false;       // CLD2's own judgement of the whole text
  int hint_percent = 0;           // of the text, in the hinted language
  std::optional<Language> other;  // the commonest that is not the hinted one
  int other_percent = 0;          // of the text
};

// `text` must be UTF-8 (an invalid one gives nothing). `hint`, if there is one, wins where two languages are about equally likely.
// Any thread.
Detection detect(std::string_view text, std::optional<Language> hint);

}  // namespace tenon::language
