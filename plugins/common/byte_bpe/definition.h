// What a tokenizer file says, before it is compiled into tables.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "file/format_error.h"

namespace tenon::bpe {

using io::FormatError;

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // a control token
  bool single_word = false;  // matches only between non-word characters
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // looked for in the normalised text
};

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// tokenizers' SplitDelimiterBehavior.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct PreTokenizerStep {
  bool prefix_space = false;  // put a space before a piece that has none; pattern is unused
  std::string pattern;        // Oniguruma syntax, as in tokenizer.json
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // the gaps are the delimiters
  std::string where;    // for error messages: a JSON path
};

struct Definition {
  std::string file;
  // Tokens and merges are in GPT-2's printable form, see byte_alphabet.h.
  std::vector<std::pair<std::string, int32_t>> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::string merges_where;                                 // for error messages
  bool ignore_merges = false;                               // a piece that is a token is that token
  std::optional<int32_t> model_unk;                         // for bytes without a token
  std::vector<AddedToken> added;
  std::vector<NormalForm> normalizers;
  std::vector<PreTokenizerStep> steps;
  std::vector<int32_t> prefix, suffix;  // what the post-processor adds
  std::optional<int32_t> bos, eos, pad, unk;
  std::vector<int32_t> generation_eos;  // eos_token_id of generation_config.json, in its order
  std::string chat_template;
};

// `path`: a tokenizer.json. Throws FormatError naming the JSON path.
Definition read_tokenizer_json(const std::string& path);

// `path`: a .gguf. Throws FormatError naming the metadata key.
Definition read_gguf_tokenizer(const std::string& path);

// GPT-2's splitting pattern, which the ByteLevel pre-tokenizer applies.
extern const char kGpt2Pattern[];

}  // namespace tenon::bpe
