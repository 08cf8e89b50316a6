// The splitting patterns of tokenizer.json, run by PCRE2.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "byte_bpe/definition.h"

namespace tenon::bpe {

// A compiled splitting pattern. Immutable: any thread may split.
//
// Patterns are written for Oniguruma (Ruby syntax, Unicode), which is what Hugging Face's tokenizers runs. They are
// rewritten where PCRE2 would mean something else: \s and \S become the Unicode property White_Space. A construct
// whose meaning differs and that no published tokenizer needs is refused: \w, \W, \b, \h and the like, sets within
// sets, {n,m}+, options other than (?i:...). The two engines' Unicode versions may differ; a character assigned after
// PCRE2's version is treated as unassigned.
class Regex {
 public:
  // Throws FormatError "<file>: <where>: ..." with the position in the pattern.
  Regex(std::string_view pattern, const std::string& file, const std::string& where);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // Appends the pieces of `text` (valid UTF-8) that the split leaves; none is empty.
  void split(std::string_view text, SplitBehavior behavior, bool invert,
             std::vector<std::string_view>& pieces) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

// The pattern as PCRE2 syntax. Throws FormatError as Regex does. Exposed for tests.
std::string to_pcre2(std::string_view pattern, const std::string& file, const std::string& where);

// The pattern that matches exactly `text`.
std::string quote_pattern(std::string_view text);

}  // namespace tenon::bpe
