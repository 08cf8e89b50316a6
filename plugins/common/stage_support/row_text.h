// From rows of a data set to token ids.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/stage.hpp"

namespace tenon::stages {

struct PromptAndCompletion {
  std::vector<int32_t> prompt, completion;  // completion: the ending id included; empty: the row has none
};

// The id that ends a completion: "eos", or the first stop id. Throws TENON_E_INVALID if the tokenizer has neither.
int32_t ending_id(const Tokenizer& tokenizer);

// The prompt of a row, as generation starts from it. Throws TENON_E_INVALID if it has no tokens.
std::vector<int32_t> encode_prompt(const Row& row, const Tokenizer& tokenizer);

// A row with its completion. Rows with `prompt`: the completion's ids and the ending id. Rows with `messages`: the completion, or, where there is none,
// the last message (of the role "assistant"), as the chat template writes it up to its last stop id. Prompt and completion are encoded each by
// itself, as in generation, where the model never sees a token that reaches across.
PromptAndCompletion encode_row(const Row& row, const Tokenizer& tokenizer);

// The first characters of a row's prompt, for messages.
std::string beginning_of(const Row& row);

}  // namespace tenon::stages
