// Finding added tokens in text before anything else happens to it.
// SPDX-License-Identifier: Apache-2.0
#include "byte_bpe/added_tokens.h"

#include <algorithm>

#include "byte_bpe/unicode.h"

namespace tenon::bpe {
namespace {

// The start of the last character before `at`, which must be above 0.
size_t previous_character(std::string_view text, size_t at) {
  --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

bool word_before(std::string_view text, size_t at) {
  return at > 0 && is_word(utf8_code_point(text, previous_character(text, at)));
}

bool word_after(std::string_view text, size_t at) {
  return at < text.size() && is_word(utf8_code_point(text, at));
}

size_t skip_space_back(std::string_view text, size_t at) {
  while (at > 0) {
    const size_t before = previous_character(text, at);
    if (!is_white_space(utf8_code_point(text, before))) break;
    at = before;
  }
  return at;
}

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() && is_white_space(utf8_code_point(text, at))) at += utf8::length(text, at);
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.content.size() > b.content.size();
  });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    by_byte_[static_cast<uint8_t>(tokens_[i].content.front())].push_back(static_cast<uint32_t>(i));
  }
}

const AddedToken* AddedTokens::match(std::string_view text, size_t at) const {
  for (const uint32_t i : by_byte_[static_cast<uint8_t>(text[at])]) {
    if (text.substr(at).starts_with(tokens_[i].content)) return &tokens_[i];
  }
  return nullptr;
}

void AddedTokens::split(std::string_view text, bool parse_special, std::vector<Segment>& segments) const {
  size_t done = 0;  // everything before it is in a segment
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = match(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->special && !parse_special) continue;
    if (token->single_word && (word_before(text, begin) || word_after(text, end))) continue;
    if (token->lstrip) begin = std::max(skip_space_back(text, begin), done);
    if (token->rstrip) end = skip_space(text, end);
    if (done < begin) segments.push_back({-1, text.substr(done, begin - done)});
    segments.push_back({token->id, text.substr(begin, end - begin)});
    done = end;
  }
  if (done < text.size()) segments.push_back({-1, text.substr(done)});
}

}  // namespace tenon::bpe
