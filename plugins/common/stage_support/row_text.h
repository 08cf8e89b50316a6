// From rows of a data set to token ids.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/stage.hpp"

namespace tenon::stages {

struct PromptAndCompletion {
  std::vector<int32_t> prompt, completion;  // completion: the ending id included; empty: the row has none
};

// The tokenizer's fault and not the row's.
class TokenizerError : public Error {
 public:
  using Error::Error;
};

// Where a row is and how it begins, for messages: `train.jsonl:17 ("Natalia sold clips…")`, or the beginning alone where the data set names no place.
std::string place_of(const Row& row);

// f(); an error that leaves it says which row it is about.
template <class F>
auto about_row(const Row& row, F&& f) {
  try {
    return f();
  } catch (const TokenizerError&) {
    throw;
  } catch (const Error& e) {
    throw Error(e.code(), "the row " + place_of(row) + ": " + e.what());
  }
}

// The functions below throw TENON_E_INVALID or what the tokenizer throws; the text is the reason alone, without the row.

// The id that ends a completion: "eos", or the first stop id. Throws TokenizerError if the tokenizer has neither.
int32_t ending_id(const Tokenizer& tokenizer);

// The prompt of a row, as generation starts from it: at least one token.
std::vector<int32_t> encode_prompt(const Row& row, const Tokenizer& tokenizer);

// A row with its completion. Rows with `prompt`: the completion's ids and the ending id. Rows with `messages`: the completion, or, where there is none,
// the last message (of the role "assistant"), as the chat template writes it up to its last stop id. Prompt and completion are encoded each by
// itself, as in generation, where the model never sees a token that reaches across.
PromptAndCompletion encode_row(const Row& row, const Tokenizer& tokenizer);

}  // namespace tenon::stages
