// Tests of the reward think-format.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

double reward(Options options, std::string_view completion) {
  const tenon::testing::Instance<tenon_reward_vt> r(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  const tenon::testing::Verdict v = tenon::testing::judge(r, completion);
  EXPECT_EQ(v.status, TENON_R_OK);
  return v.reward;
}

const Options kStrict = {{"mode", "\"strict\""}};

TEST(ThinkFormat, Lenient) {
  EXPECT_EQ(reward({}, "<think>1+1=2</think><answer>2</answer>"), 1);
  EXPECT_EQ(reward({}, " <think>\n1+1=2\n</think>\n\n<answer> 2 </answer>\n"), 1);
  EXPECT_EQ(reward({}, "<think>\n1\n</think>\n<answer>\n2\n</answer>"), 1);
}

TEST(ThinkFormat, Strict) {
  EXPECT_EQ(reward(kStrict, "<think>\n1+1=2\n</think>\n<answer>\n2\n</answer>"), 1);
  EXPECT_EQ(reward(kStrict, "<think>\nlines\n\nof it\n</think>\n<answer>\n2\n</answer>"), 1);
  EXPECT_EQ(reward(kStrict, "<think>1+1=2</think><answer>2</answer>"), 0);
  EXPECT_EQ(reward(kStrict, "<think>\n1\n</think>\n<answer>\n2\n</answer>\n"), 0);
  EXPECT_EQ(reward(kStrict, "<think>\n1\n</think> <answer>\n2\n</answer>"), 0);
  EXPECT_EQ(reward(kStrict, "so <think>\n1\n</think>\n<answer>\n2\n</answer>"), 0);
}

TEST(ThinkFormat, WhatIsMissingRepeatedOrOutOfOrder) {
  for (const Options& mode : {Options{}, kStrict}) {
    EXPECT_EQ(reward(mode, ""), 0);
    EXPECT_EQ(reward(mode, "2"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>\n2"), 0);
    EXPECT_EQ(reward(mode, "<answer>\n2\n</answer>\n<think>\n1\n</think>"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n<answer>\n2\n</answer>\n</think>"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>\n<answer>\n2"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>\n<answer>\n2\n</answer> and more"), 0);
    EXPECT_EQ(reward(mode, "<think>\n<think>\n1\n</think>\n</think>\n<answer>\n2\n</answer>"), 0);
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>\n<answer>\n2\n</answer>\n<answer>\n3\n</answer>"), 0);
    EXPECT_EQ(reward(mode, "<think>\n\n</think>\n<answer>\n2\n</answer>"), 0) << "no thinking";
    EXPECT_EQ(reward(mode, "<think>\n1\n</think>\n<answer>\n \n</answer>"), 0) << "no answer";
  }
}

TEST(ThinkFormat, OpenedByThePrompt) {
  Options opened = {{"opened_by_prompt", "true"}};
  EXPECT_EQ(reward(opened, "1+1=2</think><answer>2</answer>"), 1);
  EXPECT_EQ(reward(opened, "<think>1+1=2</think><answer>2</answer>"), 0);
  opened["mode"] = "\"strict\"";
  EXPECT_EQ(reward(opened, "1+1=2\n</think>\n<answer>\n2\n</answer>"), 1);
}

TEST(ThinkFormat, WithoutAnswerTags) {
  Options free = {{"answer_tags", "false"}};
  EXPECT_EQ(reward(free, "<think>1+1=2</think> It is 2."), 1);
  EXPECT_EQ(reward(free, "<think>1+1=2</think>"), 0);
}

TEST(ThinkFormat, Values) {
  EXPECT_EQ(reward({{"right", "0.1"}}, "<think>1</think><answer>2</answer>"), 0.1);
  EXPECT_EQ(reward({{"wrong", "-0.5"}}, "2"), -0.5);
}

}  // namespace
