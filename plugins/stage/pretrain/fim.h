// Fill in the middle: documents that are read out of order, so that a model learns to write what stands between two texts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "stage_support/row_text.h"

namespace tenon::pretrain {

// Bavarian et al. 2022, arXiv 2207.14255, §3, at document level and with characters, in the form PSM that DeepSeek-V3 pre-trains with (arXiv 2412.19437,
// §4.1). A document is cut at two of the places between its characters, drawn evenly from all of them, its ends too, and becomes
//     [bos] begin prefix hole suffix end middle eos
// where bos stands if the tokenizer has the habit. Each part is encoded by itself, as it is when the model is used.
class FillInMiddle {
 public:
  // Reads fim_rate and fim_tokens; nothing where the rate is 0. Throws Error for a name that is no token, and for names that are not all different.
  // max_len: of the model.
  static std::optional<FillInMiddle> of(const Host& host, const Tokenizer& tokenizer, uint64_t max_len);
  // Rules between its options, for the stage's `check`.
  static void check(const Host& host, Findings& findings);

  // Whether a row is one that may be chosen: a text alone, without completion and messages.
  static bool is_document(const Row& row) { return row.messages_json.empty() && row.completion.empty(); }

  // What was done in a step.
  struct Tally {
    uint64_t filled = 0;  // rows that were transformed
    uint64_t left = 0;    // rows that were chosen, but stay as they are
  };
  // The sequence of a row in a step, all of it but its first token as the completion; nothing where the row stays as it is: it is not chosen, its form
  // would be longer than max_len, or its text has one of the three tokens in it. Depends on seed, row.index and step alone.
  std::optional<stages::PromptAndCompletion> apply(const Row& row, uint64_t step, Tally& tally) const;

 private:
  FillInMiddle(const Host& host, const Tokenizer& tokenizer, uint64_t max_len);
  int32_t token(const char* option) const;
  std::vector<int32_t> arranged(std::string_view prefix, std::string_view middle,
                                std::string_view suffix) const;

  Host host_;
  Tokenizer tokenizer_;
  uint64_t max_len_;
  double rate_;
  std::vector<int32_t> bos_;
  int32_t begin_, hole_, end_, eos_;
};

inline constexpr OptionTable kFimTokens{
    text("begin", nullptr, "Stands before the prefix.", {.flags = TENON_O_REQUIRED}),
    text("hole", nullptr, "Stands between prefix and suffix.", {.flags = TENON_O_REQUIRED}),
    text("end", nullptr, "Stands between suffix and middle.", {.flags = TENON_O_REQUIRED})};
inline constexpr tenon_option kFimRate =
    number("fim_rate", "0",
           "Fill in the middle: the share of documents (rows without completion and messages) that are cut "
           "in three at random and trained on as prefix, suffix, middle. DeepSeek-V3: 0.1. 0: off.",
           {.min = "0", .max = "1"});
inline constexpr tenon_option kFimTokensOption = object(
    "fim_tokens", kFimTokens,
    "Of fim_rate: the texts of three tokens of the model's tokenizer, {begin: \"<｜fim▁begin｜>\", hole: "
    "\"<｜fim▁hole｜>\", end: \"<｜fim▁end｜>\"} for DeepSeek's, {begin: <|fim_prefix|>, hole: "
    "<|fim_suffix|>, end: <|fim_middle|>} for Qwen2.5's.");

}  // namespace tenon::pretrain
