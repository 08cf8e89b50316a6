// Sentences and words of a prose, with the script of each word.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::language {

struct Word {
  std::string text;  // UTF-8, NFKC, letters in lower case by simple folding
  int32_t
      script;  // UScriptCode of its letters; USCRIPT_INVALID_CODE: of more than one ("pаssword" with a Cyrillic а)
  uint32_t letters;    // code points
  bool is_identifier;  // it has digits, "_" or an inner capital
  bool is_capitals;    // two or more letters, all of them capitals
  bool has_kana;
  std::string spaced;  // an identifier's parts between "_" and before inner capitals, folded: "we add them"
};

struct Sentence {
  std::string text;  // UTF-8, NFKC
  std::vector<Word> words;
};

// ICU's sentences (and lines) and words, dictionaries for the scripts that write no spaces. The text is normalised first (NFKC), so mathematical
// and full-width letters are plain ones, and characters that are not seen (zero-width ones, soft hyphens, variation selectors) are taken out, so that they
// part no word. Numbers, punctuation and symbols are no words. `prose` is UTF-8; invalid bytes become U+FFFD. Any thread.
std::vector<Sentence> sentences_of(std::string_view prose);

// The whole text so normalised and folded, as its words.
std::vector<std::string> folded_words(std::string_view text);

}  // namespace tenon::language
