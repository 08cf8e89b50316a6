// Rows to ids, and sampled batches with their texts.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage_support/sampled.h"
#include "stage_support/step.h"
#include "support/fake_components.h"

namespace tenon::stages {
namespace {

using test::FakeHost;
using test::LetterTokenizer;
using ::testing::HasSubstr;

TEST(RowText, PromptAndCompletionAreEncodedApart) {
  LetterTokenizer letters;
  Tokenizer tokenizer(letters.ref());
  PromptAndCompletion text = encode_row({"1+2=", "", "3", ""}, tokenizer);
  EXPECT_EQ(letters.decode(text.prompt, TENON_DECODE_SPECIAL), "1+2=");
  EXPECT_EQ(letters.decode(text.completion, TENON_DECODE_SPECIAL), "3$");
  EXPECT_TRUE(encode_row({"1+2=", "", "", ""}, tokenizer).completion.empty());
}

TEST(RowText, ChatsAreCutAfterTheLastStopId) {
  struct Closing : LetterTokenizer {  // a template that goes on after the end of the turn
    std::string chat(std::string_view m, uint32_t flags) const {
      std::string text = LetterTokenizer::chat(m, flags);
      return (flags & TENON_CHAT_GENERATE) != 0 ? text : text + "$<";
    }
  } closing;
  Tokenizer tokenizer(test::ref_to<TokenizerShim<Closing>>(closing, "closing"));
  PromptAndCompletion text = encode_row(
      {"", R"([{"role":"user","content":"1+2"},{"role":"assistant","content":"3"}])", "", ""}, tokenizer);
  EXPECT_EQ(closing.decode(text.prompt, TENON_DECODE_SPECIAL), "1+2=");
  EXPECT_EQ(closing.decode(text.completion, TENON_DECODE_SPECIAL), "3$");
}

TEST(RowText, ATemplateThatRewritesTheConversationIsAnError) {
  struct Rewriting : LetterTokenizer {
    std::string chat(std::string_view m, uint32_t flags) const {
      return ((flags & TENON_CHAT_GENERATE) != 0 ? "a" : "b") + LetterTokenizer::chat(m, flags);
    }
  } rewriting;
  Tokenizer tokenizer(test::ref_to<TokenizerShim<Rewriting>>(rewriting, "rewriting"));
  try {
    encode_row({"", R"([{"role":"user","content":"1"},{"role":"assistant","content":"3"}])", "", ""},
               tokenizer);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("chat template"));
  }
}

TEST(RowText, TheBeginningOfARowIsWholeCharacters) {
  EXPECT_EQ(beginning_of({"1+2=", "", "", ""}), "\"1+2=\"");
  EXPECT_EQ(beginning_of({std::string(59, 'a') + "é" + "b", "", "", ""}),
            "\"" + std::string(59, 'a') + "\"…");
}

TEST(Step, TheStepIsSetAndTheRestKept) {
  tenon_call call = test::cpu_call(3);
  call.deadline_ns = 77;
  tenon_call later = at_step(&call, 9);
  EXPECT_EQ(later.step, 9u);
  EXPECT_EQ(later.deadline_ns, 77);
}

TEST(Sampled, GroupsIdsTextsAndRewards) {
  FakeHost host(
      R"({"temperature": 1, "top_k": 0, "top_p": 0, "min_p": 0, "max_new_tokens": 6, "rewards": ["a"]})");
  test::HashModel model(host, 23, 32);
  test::NaiveSampler naive;
  LetterTokenizer letters;
  test::LambdaReward reward{[](const Sample& s) {
    if (s.id == 41) refuse("not this one");
    return static_cast<double>(s.completion.size()) + static_cast<double>(s.prompt.size()) +
           (s.meta("k") == "v" ? 100 : 0);
  }};
  host.slot("sampler", naive.ref());
  host.slot("rewards/0", reward.ref());
  CompletionSampler sampler(host.host());
  std::vector<Row> rows = {{"1+2=", "", "", R"({"k":"v"})"}, {"7=", "", "", "{}"}};
  Sampled batch = sampler.sample(nullptr, Model(model.ref()), Tokenizer(letters.ref()), rows, 3, 40, 8);
  sampler.score(nullptr, batch);
  const Rollout& r = batch.rollout;
  EXPECT_EQ(r.sample_id, (std::vector<uint64_t>{40, 41, 42, 43, 44, 45}));
  EXPECT_EQ(r.group_id, (std::vector<uint64_t>{40, 40, 40, 43, 43, 43}));
  EXPECT_EQ(r.version, std::vector<uint64_t>(6, 8));
  EXPECT_EQ(r.valid, (std::vector<uint8_t>{1, 0, 1, 1, 1, 1}));
  for (uint64_t i = 0; i < 6; ++i) {
    if (i == 1) continue;
    std::string text = letters.decode(r.ids[i].subspan(r.prompt_len[i]), 0);
    EXPECT_EQ(r.reward[i], static_cast<double>(text.size()) + (i < 3 ? 104 : 2)) << i;
    EXPECT_EQ(batch.first[i], r.reward[i]);
  }
  EXPECT_TRUE(std::isnan(batch.first[1]));
  boost::json::object sample = boost::json::parse(batch.to_json(1)).as_object();
  EXPECT_TRUE(sample.at("reward").is_null());
  EXPECT_EQ(sample.at("prompt").as_string(), "1+2=");
  EXPECT_FALSE(sample.contains("advantage"));
}

TEST(Sampled, TextsThatAreNotUtf8BecomeJsonAllTheSame) {
  Sampled batch;
  batch.rollout.push(std::vector<int32_t>{1}, std::vector<int32_t>{2}, std::vector<float>{-1}, 0, 0,
                     TENON_FINISH_LENGTH);
  batch.prompts.push(std::string_view("caf\xC3\xA9 \xE6\xB0\xB4 \xF0\x9F\x99\x82"));
  batch.completions.push(std::string_view("\xE6\xB0 \xC0\x80 \xED\xA0\x80 \xFF"));
  boost::json::object sample = boost::json::parse(batch.to_json(0)).as_object();
  EXPECT_EQ(sample.at("prompt").as_string(), "café 水 🙂");
  EXPECT_EQ(sample.at("completion").as_string(), "\uFFFD\uFFFD \uFFFD\uFFFD \uFFFD\uFFFD\uFFFD \uFFFD");
  EXPECT_EQ(sample.at("finish").as_string(), "length");
}

}  // namespace
}  // namespace tenon::stages
