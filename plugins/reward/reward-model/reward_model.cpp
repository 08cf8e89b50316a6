// Reward `reward-model`: the scalar head of a model says how good a completion is.
// SPDX-License-Identifier: Apache-2.0
//
// Ouyang et al., InstructGPT, arXiv 2203.02155, §3.5: a language model whose last token has a scalar instead of a next one. DeepSeek-R1 (arXiv
// 2501.12948v2) has the helpful reward look at the final answer alone.

#include <algorithm>

#include "reward_support/think_tags.h"
#include "tenon/model.hpp"
#include "tenon/reward.hpp"
#include "tenon/tokenizer.hpp"

namespace {

using tenon::RewardOutcome;
using tenon::Sample;
constexpr const char* kFormats[] = {"text", "chat", nullptr};
constexpr const char* kRegions[] = {"answer", "whole", nullptr};

class RewardModel {
 public:
  static constexpr const char* kDoc =
      "The scalar head at the last token of prompt and completion (InstructGPT, arXiv 2203.02155, §3.5). "
      "region: answer is DeepSeek-R1's: the thought is "
      "not shown to it.";

  explicit RewardModel(tenon::Host host)
      : host_(host),
        model_(host.get_component<tenon::Model>("model")),
        tokenizer_(host.get_component<tenon::Tokenizer>("model.tokenizer")),
        is_chat_(host.str("format") == "chat"),
        takes_answer_(host.str("region") == "answer"),
        question_(host.str_if("question")),
        batch_(static_cast<size_t>(host.i64("batch"))) {
    const tenon_model_info info = model_.info();
    if ((info.heads & 1u << TENON_HEAD_SCALAR) == 0)
      throw tenon::Error(TENON_E_INVALID, "option model: " + std::string(model_.ref()->name) +
                                              " has no scalar head: give it scalar_head: true");
    if (is_chat_ && !tokenizer_.can_chat())
      throw tenon::Error(
          TENON_E_INVALID,
          "option format: chat, and the model's tokenizer has no chat template: set format: text");
    max_len_ = info.max_len;
  }

  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call* call) const {
    std::vector<RewardOutcome> out(samples.size());
    std::vector<std::vector<int32_t>> ids(samples.size());
    std::vector<size_t> pending;
    for (size_t i = 0; i < samples.size(); ++i) {
      out[i] = read(samples[i], ids[i]);
      if (out[i].status == TENON_R_OK) pending.push_back(i);
    }
    for (size_t begin = 0; begin < pending.size(); begin += batch_) {
      if (host_.raw()->cancelled(host_.raw(), call) != 0) {
        for (size_t k = begin; k < pending.size(); ++k)
          out[pending[k]] = {TENON_R_TIMED_OUT, 0, "the call's deadline passed before its turn"};
        break;
      }
      score(samples, ids, std::span(pending).subspan(begin, std::min(batch_, pending.size() - begin)), call,
            out);
    }
    return out;
  }

 private:
  std::string_view judged_part(const Sample& sample) const {
    return takes_answer_ ? tenon::reward_support::answer_part(sample.prompt, sample.completion)
                         : sample.completion;
  }

  // The ids that the model reads, or why there are none.
  RewardOutcome read(const Sample& sample, std::vector<int32_t>& ids) const {
    try {
      std::string question(sample.prompt);
      if (question_) {
        const auto field = sample.meta(*question_);
        if (!field) return {TENON_R_REFUSED, 0, "the row has no field \"" + *question_ + "\""};
        question = *field;
      }
      ids = is_chat_ ? chat_ids(question, judged_part(sample)) : text_ids(question, judged_part(sample));
    } catch (const tenon::Error& e) {
      return {TENON_R_CRASHED, 0, e.what()};
    }
    if (ids.empty()) return {TENON_R_REFUSED, 0, "there is nothing to read"};
    if (ids.size() > max_len_)
      return {TENON_R_REFUSED, 0,
              std::to_string(ids.size()) + " tokens, and the reward model reads " + std::to_string(max_len_)};
    return {TENON_R_OK, 0, ""};
  }
  // Prompt and completion each by itself, as in generation, and the id that ends a completion.
  std::vector<int32_t> text_ids(const std::string& question, std::string_view completion) const {
    std::vector<int32_t> ids = tokenizer_.encode(question, TENON_ENCODE_BOS);
    const std::vector<int32_t> more = tokenizer_.encode(completion);
    ids.insert(ids.end(), more.begin(), more.end());
    const int64_t eos = tokenizer_.special("eos");
    const std::vector<int32_t> stops =
        eos < 0 ? tokenizer_.stop_ids() : std::vector<int32_t>{static_cast<int32_t>(eos)};
    if (!stops.empty()) ids.push_back(stops.front());
    return ids;
  }
  // `question`: a text, or a list of messages in JSON.
  std::vector<int32_t> chat_ids(const std::string& question, std::string_view completion) const {
    std::string messages = question.starts_with('[') && question_
                               ? question.substr(0, question.rfind(']'))
                               : R"([{"role":"user","content":)" + tenon::json::quote(question) + "}";
    messages += R"(,{"role":"assistant","content":)" + tenon::json::quote(completion) + "}]";
    return tokenizer_.encode(tokenizer_.chat(messages, 0), TENON_ENCODE_SPECIAL);
  }

  void score(const std::vector<Sample>& samples, const std::vector<std::vector<int32_t>>& ids,
             std::span<const size_t> which, const tenon_call* call, std::vector<RewardOutcome>& out) const {
    tenon::Ragged<int32_t> rows;
    std::vector<uint64_t> sample_ids;
    for (size_t i : which) {
      rows.push(ids[i]);
      sample_ids.push_back(samples[i].id);
    }
    const tenon_ragged packed = rows.raw();
    const uint64_t n = packed.offsets[packed.n];
    const std::vector<uint8_t> mask(n, 0);
    std::vector<float> value(n, 0);
    tenon_tokens tokens{};
    tokens.struct_size = sizeof tokens;
    tokens.head = TENON_HEAD_SCALAR;
    tokens.ids = packed;
    tokens.mask = mask.data();
    tokens.seq_id = sample_ids.data();
    tokens.temperature = 1;
    model_.score(call, tokens, nullptr, nullptr, value.data(), nullptr);
    for (size_t k = 0; k < which.size(); ++k)
      out[which[k]].reward = static_cast<double>(value[packed.offsets[k + 1] - 1]);
  }

  tenon::Host host_;
  tenon::Model model_;
  tenon::Tokenizer tokenizer_;
  bool is_chat_, takes_answer_;
  std::optional<std::string> question_;
  size_t batch_;
  uint64_t max_len_ = 0;
};

}  // namespace

TENON_BATCH_REWARD_PLUGIN(
    RewardModel, "reward-model", "1.0.0", "The scalar head of a model judges.",
    tenon::reference("model", "model", nullptr,
                     "A model with a scalar head: a component with `scalar_head: true`, or "
                     "an earlier stage that trained one.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::choice("format", kFormats, "\"text\"",
                  "text: the prompt, the completion and the ending token; chat: a turn of "
                  "the user and one of the assistant, by the model's own "
                  "chat template."),
    tenon::choice("region", kRegions, "\"answer\"",
                  "answer: what follows </think>; whole: all of the completion."),
    tenon::text("question", nullptr,
                "Field of the row's meta with the question, or its messages, instead of the "
                "prompt as the policy saw it."),
    tenon::integer("batch", "16", "Completions that the model reads at a time.", {.min = "1", .max = "4096"}))
