// Which words are counted, and per what.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

tenon::testing::Verdict judge(const Options& options, std::string_view completion) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  return tenon::testing::judge(reward, completion);
}

TEST(Reflection, WholeWordsInAnyCase) {
  const auto v = judge({}, "Wait, wait. BUT the check—I must verify; checks and butter do not count. Wrong!");
  EXPECT_EQ(v.status, TENON_R_OK);
  EXPECT_EQ(v.notes.at("wait"), 2);
  EXPECT_EQ(v.notes.at("but"), 1);
  EXPECT_EQ(v.notes.at("check"), 1) << "the dash is no letter of it";
  EXPECT_EQ(v.notes.at("wrong"), 1);
  EXPECT_EQ(v.notes.at("retry"), 0);
  EXPECT_EQ(v.reward, 6);
  EXPECT_EQ(judge({}, "").reward, 0);
}

TEST(Reflection, PerThousandWords) {
  EXPECT_EQ(judge({{"per", "\"1000-words\""}}, "wait one two three").reward, 250);
  EXPECT_EQ(judge({{"per", "\"1000-words\""}}, "1 + 1").reward, 0);
}

TEST(Reflection, OwnWords) {
  const Options german = {{"words", "[\"Moment\", \"falsch\"]"}};
  EXPECT_EQ(judge(german, "Moment, das ist falsch, wait").reward, 2);
  EXPECT_THROW(judge({{"words", "[\"no way\"]"}}, "no way"), tenon::Error);
  EXPECT_THROW(judge({{"words", "[\"\"]"}}, "no way"), tenon::Error);
  EXPECT_THROW(judge({{"words", "[]"}}, "no way"), tenon::Error);
  EXPECT_EQ(judge({{"words", "[\"wait\", \"Wait\"]"}}, "wait").reward, 1) << "the same word once";
}

}  // namespace
