// Texts for a model with a scalar head, and its scalars.
// SPDX-License-Identifier: Apache-2.0
#include "scalar_reading/scalar_reading.h"

#include <numeric>

#include "masked_lm/masked_lm.h"
#include "reward_support/think_tags.h"
#include "tenon/reward.hpp"

namespace tenon::scalar_reading {

namespace {

// `sequences` for the model, with the scalar wanted.
struct Packed {
  explicit Packed(const std::vector<std::vector<int32_t>>& sequences)
      : mask(std::accumulate(sequences.begin(), sequences.end(), size_t{0},
                             [](size_t n, const auto& ids) { return n + ids.size(); })) {
    for (const auto& ids : sequences) rows.push(ids);
    seq_id.resize(sequences.size());
    std::iota(seq_id.begin(), seq_id.end(), uint64_t{0});
  }
  tenon_tokens raw() const {
    tenon_tokens tokens{};
    tokens.struct_size = sizeof tokens;
    tokens.head = TENON_HEAD_SCALAR;
    tokens.ids = rows.raw();
    tokens.mask = mask.data();
    tokens.seq_id = seq_id.data();
    tokens.temperature = 1;
    return tokens;
  }
  size_t last(size_t i) const { return rows.offsets[i + 1] - 1; }

  Ragged<int32_t> rows;
  std::vector<uint8_t> mask;
  std::vector<uint64_t> seq_id;
};

// The id that parts and ends the segments of a model that reads pairs of them.
std::optional<int32_t> separator_of(const Model& model) {
  const tenon_ref& ref = *model.ref();
  const auto* table =
      TENON_FN(ref.life, tenon_life, extension)
          ? static_cast<const tenon_masked_lm*>(ref.life->extension(ref.self, TENON_EXT_MASKED_LM))
          : nullptr;
  if (!TENON_FN(table, tenon_masked_lm, info)) return std::nullopt;
  tenon_masked_lm_info info{};
  info.struct_size = sizeof info;
  ErrorBuffer err;
  err.check(table->info(ref.self, &info, err));
  return info.sep;
}

}  // namespace

Reader::Reader(const Host& host)
    : model_(host.get_component<Model>("model")),
      tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
      is_chat_(host.str("format") == "chat"),
      takes_answer_(host.str("region") == "answer"),
      question_(host.str_if("question")) {
  const tenon_model_info info = model_.info();
  if ((info.heads & 1u << TENON_HEAD_SCALAR) == 0)
    throw Error(TENON_E_INVALID, "option model: " + std::string(model_.ref()->name) +
                                     " has no scalar head: give it scalar_head: true");
  if (is_chat_ && !tokenizer_.can_chat())
    throw Error(TENON_E_INVALID,
                "option format: chat, and the model's tokenizer has no chat template: set format: text");
  max_len_ = info.max_len;
  separator_ = separator_of(model_);
}

std::vector<int32_t> Reader::ids(const Text& text) const {
  std::string question(text.prompt), messages(text.messages_json);
  if (question_) {
    const auto field = json::text_field(text.meta_json, *question_);
    if (!field) refuse("the row has no field \"" + *question_ + "\"");
    question = *field;
    messages = question.starts_with('[') ? question : "";
  }
  if (messages.empty() && is_chat_) messages = R"([{"role":"user","content":)" + json::quote(question) + "}]";
  if (!messages.empty() && !is_chat_ && !question_) question = tokenizer_.chat(messages);
  const std::string_view judged =
      takes_answer_ ? reward_support::answer_part(question_ ? text.prompt : question, text.completion)
                    : text.completion;
  std::vector<int32_t> ids = is_chat_ ? chat_ids(messages, judged) : text_ids(question, judged);
  if (ids.empty()) refuse("there is nothing to read");
  if (ids.size() > max_len_)
    refuse(std::to_string(ids.size()) + " tokens, and the reward model reads " + std::to_string(max_len_));
  return ids;
}

// Prompt and completion each by itself, as in generation, and the id that ends a completion; or, of a model that reads pairs of segments, as one.
std::vector<int32_t> Reader::text_ids(const std::string& question, std::string_view completion) const {
  std::vector<int32_t> ids = tokenizer_.encode(question, TENON_ENCODE_BOS);
  const std::vector<int32_t> more = tokenizer_.encode(completion);
  if (separator_) ids.push_back(*separator_);
  ids.insert(ids.end(), more.begin(), more.end());
  if (separator_) {
    ids.push_back(*separator_);
    return ids;
  }
  const int64_t eos = tokenizer_.special("eos");
  const std::vector<int32_t> stops =
      eos < 0 ? tokenizer_.stop_ids() : std::vector<int32_t>{static_cast<int32_t>(eos)};
  if (!stops.empty()) ids.push_back(stops.front());
  return ids;
}

// `messages`: a list in JSON, to which the completion is the answer.
std::vector<int32_t> Reader::chat_ids(const std::string& messages, std::string_view completion) const {
  const std::string all = messages.substr(0, messages.rfind(']')) + R"(,{"role":"assistant","content":)" +
                          json::quote(completion) + "}]";
  return tokenizer_.encode(tokenizer_.chat(all, 0), TENON_ENCODE_SPECIAL);
}

std::vector<float> Reader::scores(const tenon_call* call, const std::vector<std::vector<int32_t>>& sequences,
                                  uint64_t* tape) const {
  const Packed packed(sequences);
  std::vector<float> value(packed.mask.size(), 0), out;
  model_.score(call, packed.raw(), nullptr, nullptr, value.data(), tape);
  for (size_t i = 0; i < sequences.size(); ++i) out.push_back(value[packed.last(i)]);
  return out;
}

void Reader::backward(const tenon_call* call, uint64_t tape,
                      const std::vector<std::vector<int32_t>>& sequences,
                      const std::vector<float>& d_score) const {
  const Packed packed(sequences);
  std::vector<float> d_value(packed.mask.size(), 0);
  for (size_t i = 0; i < sequences.size(); ++i) d_value[packed.last(i)] = d_score[i];
  model_.backward(call, tape, nullptr, nullptr, d_value.data());
}

}  // namespace tenon::scalar_reading
