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

TEST(ThinkFormat, TagsInCodeAreText) {
  const char* quoted =
      "<think>\nI write `<think>` and "
      "`</answer>`.\n```\n<answer>\n1\n</answer>\n```\n</think>\n<answer>\n2\n</answer>";
  const char* hidden = "```\n<think>\n1\n</think>\n<answer>\n2\n</answer>\n```";
  const char* half = "<think>\n1\n</think>\n`<answer>\n2\n</answer>`";
  const char* answer_is_code = "<think>\n1\n</think>\n<answer>\n```\nx\n```\n</answer>";
  const char* not_closed = "<think>\n```\nx\n</think>\n<answer>\n2\n</answer>";
  for (const Options& mode : {Options{}, kStrict}) {
    EXPECT_EQ(reward(mode, quoted), 1);
    EXPECT_EQ(reward(mode, hidden), 0);
    EXPECT_EQ(reward(mode, "`<think>`\n1\n</think>\n<answer>\n2\n</answer>"), 0);
    EXPECT_EQ(reward(mode, half), 0)
        << "what the line does not close is no code, so the answer has a mark too much";
    EXPECT_EQ(reward(mode, answer_is_code), 1);
    EXPECT_EQ(reward(mode, not_closed), 1) << "a fence that nothing closes hides nothing";
  }
}

TEST(ThinkFormat, WhatCannotBeSeenIsNoContent) {
  EXPECT_EQ(reward({}, "<think>\u200B\u00A0</think><answer>2</answer>"), 0);
  EXPECT_EQ(reward({}, "<think>1</think><answer>\u2060 \uFEFF</answer>"), 0);
  for (const char* blank : {"\x01", "\x1b \x7f", "\u2800", "\u3164", "\u115F", "\u2003\u202F", "\uFE0F",
                            "\u2028", "\u180E", "\U000E0041"}) {
    EXPECT_EQ(reward({}, "<think>" + std::string(blank) + "</think><answer>2</answer>"), 0) << blank;
    EXPECT_EQ(reward({{"answer_tags", "false"}}, "<think>1</think>" + std::string(blank)), 0) << blank;
  }
  EXPECT_EQ(reward({}, "<think>\u00E9</think><answer>\u200B2</answer>"), 1);
}

TEST(ThinkFormat, SaysWhatIsWrong) {
  auto why = [](Options options, std::string_view completion) {
    const tenon::testing::Instance<tenon_reward_vt> r(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
    return tenon::testing::judge(r, completion).why;
  };
  EXPECT_EQ(why({}, "<think>1</think><answer>2</answer>"), "");
  EXPECT_EQ(why({}, "2"), "not exactly one <think>");
  EXPECT_EQ(why({}, "So <think>1</think><answer>2</answer>"), "something stands before <think>");
  EXPECT_EQ(why({}, "<think>1</think><answer>2</answer>!"), "something stands after </answer>");
  EXPECT_EQ(why(kStrict, "<think>1</think>\n<answer>\n2\n</answer>"), "a tag is not on a line of its own");
}

TEST(ThinkFormat, WhatOnlyLooksLikeATagIsNone) {
  for (const char* text :
       {"<THINK>1</THINK><ANSWER>2</ANSWER>", "<thi\u200Bnk>1</think><answer>2</answer>",
        "< think>1</think><answer>2</answer>", "<think >1</think><answer>2</answer>",
        "\uFF1Cthink\uFF1E1</think><answer>2</answer>", "<think>1</think\n><answer>2</answer>",
        "<think>1</think>2<answer>2</answer>", "<answer>2</answer><think>1</think><answer>2</answer>",
        "<think>1</think><answer>2</think></answer>", "<think>1</think><think>1</think><answer>2</answer>"})
    EXPECT_EQ(reward({}, text), 0) << text;
}

TEST(ThinkFormat, Values) {
  EXPECT_EQ(reward({{"right", "0.1"}}, "<think>1</think><answer>2</answer>"), 0.1);
  EXPECT_EQ(reward({{"wrong", "-0.5"}}, "2"), -0.5);
}

}  // namespace
