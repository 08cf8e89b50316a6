// The words of a text in a form in which texts that say the same have the same ones, and what of a text others share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::normal_words {

// A word: its hash (64 bits) and where it stands.
struct Word {
  uint64_t hash;
  size_t begin, size;  // bytes of the text
};

// The words of a UTF-8 text: runs of letters, digits and marks, after compatibility decomposition and case folding (NFKC_Casefold), without accents. A character of
// a script that writes no spaces (Han, kana, Thai, Lao, Khmer, Myanmar) is a word of its own. Punctuation, symbols and bytes that are not UTF-8 part words.
std::vector<Word> words_of(std::string_view text);

// The hash of words[0..n) in their order.
uint64_t hash_of(std::span<const Word> words);

}  // namespace tenon::normal_words
