// What a model with a scalar head reads of a prompt and a completion: the same for the stage that trains it and the reward that asks it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/host.hpp"
#include "tenon/model.hpp"
#include "tenon/options.hpp"
#include "tenon/tokenizer.hpp"

namespace tenon::scalar_reading {

// Reads the options format, region and question, and the slots model and model.tokenizer.
class Reader {
 public:
  // Throws Error naming the option: of a model without a scalar head, and of format: chat without a chat template.
  explicit Reader(const Host& host);

  const Model& model() const { return model_; }

  // What is judged.
  struct Text {
    std::string_view prompt, completion, meta_json;
    std::string_view messages_json{};  // of a row that has messages; then `prompt` does not count
  };
  // The ids for a completion, of the prompt or of what its row has in the field of the option `question`. The scalar is at the last of them. A model that reads pairs of segments
  // (masked_lm.h) gets the prompt as the first and the completion as the second. Throws NoReward (refused)
  // for a row without that field and for texts that are longer than the model reads; what the tokenizer throws.
  std::vector<int32_t> ids(const Text& text) const;

  // The scalars of these sequences, one each. `tape` (may be null) as Model::score.
  std::vector<float> scores(const tenon_call* call, const std::vector<std::vector<int32_t>>& sequences,
                            uint64_t* tape) const;
  // dL/d scalar of the sequences of `tape`, which is used up.
  void backward(const tenon_call* call, uint64_t tape, const std::vector<std::vector<int32_t>>& sequences,
                const std::vector<float>& d_score) const;

 private:
  std::vector<int32_t> text_ids(const std::string& question, std::string_view completion) const;
  std::vector<int32_t> chat_ids(const std::string& messages, std::string_view completion) const;

  Model model_;
  Tokenizer tokenizer_;
  bool is_chat_, takes_answer_;
  std::optional<std::string> question_;
  uint64_t max_len_;
  std::optional<int32_t> separator_;
};

inline constexpr const char* kFormats[] = {"text", "chat", nullptr};
inline constexpr const char* kRegions[] = {"answer", "whole", nullptr};
inline constexpr tenon_option kFormatOption =
    choice("format", kFormats, "\"text\"",
           "text: the prompt, the completion and the ending token; chat: a turn of the user and one of the "
           "assistant, by the model's own chat template.");
inline constexpr tenon_option kRegionOption =
    choice("region", kRegions, "\"answer\"", "answer: what follows </think>; whole: all of the completion.");
inline constexpr tenon_option kQuestionOption = text("question", nullptr,
                                                     "Field of the row's meta with the question, or its "
                                                     "messages, instead of the prompt as the policy saw it.");

}  // namespace tenon::scalar_reading
