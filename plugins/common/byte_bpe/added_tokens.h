// Finding added tokens in text before anything else happens to it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "byte_bpe/definition.h"

namespace tenon::bpe {

// A stretch of text: an added token (id >= 0), or text that still is to be tokenised (id < 0).
struct Segment {
  int32_t id;
  std::string_view text;
};

// Leftmost-longest search, then the flags single_word, lstrip and rstrip, exactly as in tokenizers' AddedVocabulary.
class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Appends the segments of `text` (valid UTF-8). `parse_special` false leaves control tokens in the text.
  void split(std::string_view text, bool parse_special, std::vector<Segment>& segments) const;

 private:
  // The longest token at text[at], or nullptr.
  const AddedToken* match(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;                  // longest content first
  std::array<std::vector<uint32_t>, 256> by_byte_;  // by first byte, in the order of tokens_
};

}  // namespace tenon::bpe
