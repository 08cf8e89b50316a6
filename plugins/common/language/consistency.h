// How much of a text is in the language it should be in: DeepSeek-R1's language-consistency measure.
// SPDX-License-Identifier: Apache-2.0
//
// The paper (arXiv 2501.12948v2, eq. 7) has Num(words of the target language) / Num(words) of the chain of thought, and says neither
// what a word is nor how its language is found. Here: see Measure.
#pragma once

#include <string>
#include <string_view>

#include "language/detector.h"

namespace tenon::language {

// Words of the prose (prose.h, words.h), each of one kind.
struct Counts {
  double target = 0;   // in the target language
  double foreign = 0;  // in another one, or in letters of several scripts
  double neutral =
      0;  // names of functions, single letters, identifiers, abbreviations, quoted terms: they say nothing
  double repeated = 0;   // target words that only repeat what stood before: they do not count
  double undecided = 0;  // of sentences whose language cannot be told
  std::string
      foreign_language;  // the commonest of foreign sentences, as a code, or a script's name; empty: none
};

struct Rules {
  bool quoted_terms_are_neutral =
      true;  // foreign words that stand in the prompt are neutral, if the prompt is in the target language
  bool repeats_count = false;  // the last word of five that have stood in the text before is `repeated`
};

// A word in a script that the target language is not written in is foreign, unless it is neutral. In a script that it shares with
// others (Latin, Cyrillic, Arabic, Devanagari), the sentence decides, by CLD2 with the target as its hint; a sentence that it cannot tell goes
// with the others that it cannot tell, taken together; twenty such words or more in which it sees nothing of the target are foreign. A long sentence that is half in
// another language of the same script is shared out. Japanese and Chinese are told apart by kana. A foreign word of more than twenty letters weighs as several.
// Different names (identifiers, words in formulas and inline code, tags, addresses, spelt letters by five) beyond a quarter of the words are foreign, unless they are
// words of the target language: prose can wear their dress.
Counts count_words(std::string_view text, std::string_view prompt, Language target, const Rules& rules);

// The language of a prompt, formulas and code left out; nothing: it cannot be told.
std::optional<Language> language_of(std::string_view text);

}  // namespace tenon::language
