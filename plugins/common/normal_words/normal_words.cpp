// Normalised words, by utf8proc.
// SPDX-License-Identifier: Apache-2.0
#include "normal_words/normal_words.h"

#include <utf8proc.h>

#include <algorithm>

namespace tenon::normal_words {
namespace {

constexpr uint64_t kOffset = 0xcbf29ce484222325, kPrime = 0x100000001b3;  // FNV-1a

uint64_t mixed(uint64_t h) {
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93;
  return h ^ h >> 32;
}

// Of a script whose words have no spaces between them: Thai, Lao, Myanmar, Khmer, kana, Han.
bool stands_alone(int32_t c) {
  return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||
         (c >= 0x3040 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

bool is_of_a_word(int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

// The code points that stand for `c` where texts are compared; their number.
size_t folded(int32_t c, std::span<int32_t> out) {
  if (c < 0x80) {
    out[0] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    return 1;
  }
  int last_class = 0;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_STRIPMARK);
  const auto n =
      utf8proc_decompose_char(c, out.data(), static_cast<utf8proc_ssize_t>(out.size()), options, &last_class);
  return n < 0 ? 0 : std::min(static_cast<size_t>(n), out.size());
}

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  uint64_t hash = kOffset;
  size_t begin = 0, end = 0;  // of the word that is being read; equal: none is
  auto finish = [&] {
    if (end > begin) words.push_back({mixed(hash), begin, end - begin});
    hash = kOffset;
    begin = end = 0;
  };
  for (size_t at = 0; at < text.size();) {
    int32_t c = 0;
    const auto got = utf8proc_iterate(reinterpret_cast<const uint8_t*>(text.data()) + at,
                                      static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    const size_t size = got > 0 ? static_cast<size_t>(got) : 1;
    if (got <= 0 || !is_of_a_word(c)) {
      // What is not seen (soft hyphens, zero-width characters) parts no word.
      if (got <= 0 || utf8proc_category(c) != UTF8PROC_CATEGORY_CF) finish();
    } else {
      int32_t parts[32];
      const size_t n = folded(c, parts);
      if (stands_alone(c)) finish();
      if (end == begin) begin = at;
      for (size_t i = 0; i < n; ++i) hash = (hash ^ static_cast<uint64_t>(parts[i])) * kPrime;
      end = at + size;
      if (stands_alone(c)) finish();
    }
    at += size;
  }
  finish();
  return words;
}

uint64_t hash_of(std::span<const Word> words) {
  uint64_t h = kOffset;
  for (const Word& word : words) h = mixed((h ^ word.hash) * kPrime);
  return h;
}

}  // namespace tenon::normal_words
