// Which n-grams are repeats, and what tokens and completions get for it.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::NanSensitiveDoubleEq;

struct Outcome {
  double reward = std::nan("");
  int32_t status = TENON_R_UNSET;
  std::vector<double> tokens;
};

Outcome outcome_of(const Options& options, const std::vector<int32_t>& tokens, bool takes_token_rewards) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  tenon::Ragged<char> texts;
  texts.push(std::string_view("{}"));
  tenon::Ragged<int32_t> ids;
  ids.push(tokens);
  const uint64_t id = 0;
  Outcome out;
  out.tokens.assign(tokens.size(), std::nan(""));
  tenon_reward_in in{sizeof in, 0, 1, &id, &id, texts.raw(), texts.raw(), texts.raw(), ids.raw(), nullptr};
  tenon_reward_out to{
      sizeof to, 0,       &out.reward, &out.status, takes_token_rewards ? out.tokens.data() : nullptr,
      nullptr,   nullptr, nullptr,     nullptr};
  tenon::ErrorBuffer err;
  err.check(reward.vt->score(reward.self, nullptr, &in, &to, err));
  return out;
}
tenon::testing::Verdict judge(const Options& options, std::string_view text) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  return tenon::testing::judge(reward, text);
}

TEST(Repetition, EachTokenOfARepeatedNgramOnce) {
  const Options two = {{"n", "2"}};
  // 1 2 | 2 3 | 3 1 | 1 2 again, at 3 | 2 3 again, at 4: tokens 3, 4, 5
  const Outcome dense = outcome_of(two, {1, 2, 3, 1, 2, 3, 4}, true);
  EXPECT_EQ(dense.reward, 0);
  const auto none = NanSensitiveDoubleEq(std::nan(""));
  EXPECT_THAT(dense.tokens, ElementsAre(none, none, none, -0.05, -0.05, -0.05, none));
  const Outcome sum = outcome_of(two, {1, 2, 3, 1, 2, 3, 4}, false);
  EXPECT_NEAR(sum.reward, -0.15, 1e-12) << "the same in total where tokens have no rewards";
}

TEST(Repetition, TwoRepeatsApart) {
  const Outcome dense = outcome_of({{"n", "2"}, {"penalty", "-1"}}, {1, 2, 1, 2, 9, 1, 2}, true);
  const auto none = NanSensitiveDoubleEq(std::nan(""));
  EXPECT_THAT(dense.tokens, ElementsAre(none, none, -1, -1, none, -1, -1));
}

TEST(Repetition, ShareOfACompletion) {
  const Options share = {{"per", "\"completion\""}, {"n", "2"}, {"penalty", "-1"}};
  EXPECT_NEAR(outcome_of(share, {1, 2, 3, 1, 2, 3, 4}, true).reward, -2.0 / 6, 1e-12);
  EXPECT_EQ(outcome_of(share, {1, 2, 3}, true).reward, 0);
  EXPECT_FALSE(std::signbit(outcome_of(share, {1, 2, 3}, true).reward)) << "no -0 in the records";
  EXPECT_EQ(outcome_of(share, {1}, true).reward, 0) << "shorter than an n-gram";
}

TEST(Repetition, WordsAndCharacters) {
  Options words = {{"per", "\"completion\""}, {"unit", "\"words\""}, {"n", "2"}, {"penalty", "-1"}};
  EXPECT_NEAR(judge(words, "So it is. So  IT\nis.").reward, -2.0 / 5, 1e-12);
  EXPECT_NEAR(judge(words, "So it is. So  IT\nis.").notes.at("repeated"), 0.4, 1e-12);
  EXPECT_EQ(judge(words, "one two three four").reward, 0);
  EXPECT_EQ(judge(words, "").reward, 0);
  words["unit"] = "\"characters\"";
  EXPECT_NEAR(judge(words, "\u6211\u4EEC\u6211\u4EEC").reward, -1.0 / 3, 1e-12);
}

// What parts or counts the same words makes other n-grams of white space's words, not of plain ones.
TEST(Repetition, SeparatorsAndNumbersHideNoRepeat) {
  Options plain = {{"per", "\"completion\""}, {"unit", "\"plain-words\""}, {"n", "3"}, {"penalty", "-1"}};
  const char* text = "1. wait, 2. wait; 3. wait! 4) Wait? (wait) wa\u200Bit\u2014wait\u3002wait";
  EXPECT_NEAR(judge(plain, text).reward, -5.0 / 6, 1e-12);
  EXPECT_NEAR(judge(plain, "\u6211\u4EEC 1 \u6211\u4EEC, \u6211\u4EEC: \u6211\u4EEC").reward, -0.5, 1e-12);
  EXPECT_EQ(judge(plain, "we add one and two, then two and one").reward, 0);
  EXPECT_EQ(judge(plain, "1 2 3 4 5 6 7").reward, 0) << "numbers alone are no words";
  plain["unit"] = "\"words\"";
  EXPECT_EQ(judge(plain, text).reward, 0) << "open-r1's form does not see it";
}

TEST(Repetition, WithoutTokensThereIsNothingToCompare) {
  EXPECT_EQ(outcome_of({}, {}, true).status, TENON_R_REFUSED);
  EXPECT_EQ(outcome_of({}, std::vector<int32_t>(79, 1), false).status, TENON_R_OK);
}

TEST(Repetition, TokensHaveTokens) {
  EXPECT_THAT(tenon::testing::findings_of(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                          Options{{"unit", "\"words\""}}),
              ElementsAre(testing::HasSubstr("unit: per: token")));
}

}  // namespace
