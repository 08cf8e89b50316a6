// What the model is given to read, and where its scalar is taken.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/model.hpp"
#include "tenon/reward.hpp"
#include "tenon/testing.hpp"
#include "tenon/tokenizer.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;
using tenon::testing::Verdict;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kEos = 256;
std::vector<std::vector<int32_t>> read_rows;  // by the model since it was cleared

// Bytes are ids; chats are <user>…<assistant>….
struct Bytes {
  explicit Bytes(tenon::Host) {}
  std::vector<int32_t> encode(std::string_view text, uint32_t) const {
    std::vector<int32_t> ids;
    for (char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string decode(std::span<const int32_t>, uint32_t) const { return {}; }
  std::string chat(std::string_view messages, uint32_t) const {
    std::string text;
    for (std::string_view message : tenon::json::elements(messages))
      text += "<" + *tenon::json::text_field(message, "role") + ">" +
              *tenon::json::text_field(message, "content");
    return text;
  }
  uint64_t size() const { return 257; }
  int64_t special(std::string_view name) const { return name == "eos" ? kEos : -1; }
  std::vector<int32_t> stop_ids() const { return {kEos}; }
};
constexpr tenon::OptionTable kNone{};
constexpr tenon_component kBytes =
    tenon::component<Bytes, tenon::TokenizerShim<Bytes>>("bytes", "1.0.0", "", kNone);

// Scalar: the number of tokens of the sequence; NaN of one that has a '!'.
int32_t info(void*, tenon_model_info* info, tenon_error*) {
  info->heads = 1u << TENON_HEAD_SCALAR;
  info->max_len = 40;
  return TENON_OK;
}
int32_t info_without_head(void*, tenon_model_info* info, tenon_error*) {
  info->heads = 1;
  info->max_len = 40;
  return TENON_OK;
}
int32_t score(void*, const tenon_call*, const tenon_tokens* in, tenon_score_out* out, tenon_error*) {
  EXPECT_EQ(in->head, TENON_HEAD_SCALAR);
  for (uint64_t i = 0; i < in->ids.n; ++i) {
    const auto ids = tenon::row<int32_t>(in->ids, i);
    read_rows.emplace_back(ids.begin(), ids.end());
    const bool is_broken = std::find(ids.begin(), ids.end(), '!') != ids.end();
    out->value[in->ids.offsets[i + 1] - 1] = is_broken ? std::nanf("") : static_cast<float>(ids.size());
  }
  return TENON_OK;
}
tenon_model_vt model_table(bool has_head) {
  tenon_model_vt vt{};
  vt.struct_size = sizeof vt;
  vt.info = has_head ? info : info_without_head;
  vt.score = score;
  return vt;
}

Verdict judge(const Options& options, std::string_view prompt, std::string_view completion,
              std::string_view meta = "{}", bool has_head = true) {
  const tenon::testing::Instance<tenon_tokenizer_vt> tokenizer(&kBytes);
  const tenon_model_vt vt = model_table(has_head);
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  tenon::testing::TestHost host(component, options);
  host.slot("model", {sizeof(tenon_ref), 0, nullptr, &vt, "fake", "judge", nullptr});
  host.slot("model.tokenizer", tokenizer.ref());
  const tenon::testing::Created reward(component, host.raw());
  read_rows.clear();
  tenon::Ragged<char> prompts, texts, metas;
  prompts.push(prompt), texts.push(completion), metas.push(meta);
  const uint64_t id = 0;
  Verdict v;
  tenon_reward_in in{sizeof in, 0, 1, &id, &id, prompts.raw(), texts.raw(), metas.raw(), {}, nullptr};
  tenon_reward_out out{
      sizeof out,
      0,
      &v.reward,
      &v.status,
      nullptr,
      &v,
      [](void* ctx, uint64_t, const char* s, uint64_t n) { static_cast<Verdict*>(ctx)->why.assign(s, n); },
      nullptr,
      nullptr};
  tenon::ErrorBuffer err;
  err.check(static_cast<const tenon_reward_vt*>(component->vt)->score(reward.self, nullptr, &in, &out, err));
  return v;
}
std::string read_text() {
  std::string text;
  for (int32_t id : read_rows.at(0))
    text += id == kEos ? std::string("$") : std::string(1, static_cast<char>(id));
  return text;
}

TEST(RewardModel, ReadsPromptCompletionAndTheEnd) {
  const Verdict v = judge({}, "2+2?", "It is 4.");
  EXPECT_EQ(v.status, TENON_R_OK) << v.why;
  EXPECT_EQ(read_text(), "2+2?It is 4.$");
  EXPECT_EQ(v.reward, 13);
}

TEST(RewardModel, TheThoughtIsNotShown) {
  judge({}, "2+2?", "<think>hm</think>4");
  EXPECT_EQ(read_text(), "2+2?4$");
  judge({}, "2+2?", "<think>hm");
  EXPECT_EQ(read_text(), "2+2?$") << "thinking that does not end leaves no answer";
  judge({{"region", "\"whole\""}}, "2+2?", "<think>hm</think>4");
  EXPECT_EQ(read_text(), "2+2?<think>hm</think>4$");
}

TEST(RewardModel, Chats) {
  const Options chat = {{"format", "\"chat\""}};
  judge(chat, "2+2?", "4");
  EXPECT_EQ(read_text(), "<user>2+2?<assistant>4");
  Options field = chat;
  field["question"] = "\"q\"";
  judge(field, "user\n2+2?", "4", R"({"q":"2+2?"})");
  EXPECT_EQ(read_text(), "<user>2+2?<assistant>4");
  judge(field, "user\n2+2?", "4", R"({"q":[{"role":"system","content":"s"},{"role":"user","content":"u"}]})");
  EXPECT_EQ(read_text(), "<system>s<user>u<assistant>4");
  EXPECT_EQ(judge(field, "x", "4").status, TENON_R_REFUSED);
}

TEST(RewardModel, WhatItCannotReadIsNoZero) {
  const Verdict longer = judge({}, "2+2?", std::string(36, 'x'));
  EXPECT_EQ(longer.status, TENON_R_REFUSED);
  EXPECT_EQ(longer.why, "41 tokens, and the reward model reads 40");
  EXPECT_EQ(judge({}, "2+2?", std::string(35, 'x')).status, TENON_R_OK);
  EXPECT_EQ(judge({}, "2+2?", "broken!").status, TENON_R_CRASHED);
}

TEST(RewardModel, AModelWithoutTheHeadIsRefusedAtOnce) {
  try {
    judge({}, "a", "b", "{}", false);
    FAIL();
  } catch (const tenon::Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("give it scalar_head: true"));
  }
}

}  // namespace
