// Tests of the reward answer: what is right, what is wrong, and what is refused rather than scored 0.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

using tenon::testing::Verdict;

Verdict judge(Options options, std::string_view completion, std::string_view meta) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::testing::judge(reward, completion, meta);
}
double reward(Options options, std::string_view completion, std::string_view meta = R"({"answer":"18"})") {
  Verdict v = judge(std::move(options), completion, meta);
  EXPECT_EQ(v.status, TENON_R_OK) << v.why;
  return v.reward;
}

TEST(Answer, RunningSum) {
  EXPECT_EQ(reward({}, "<3+4=7,7-2=5>5", R"({"answer":"5"})"), 1);
  EXPECT_EQ(reward({}, "<>5", R"({"answer":"5"})"), 1);
  EXPECT_EQ(reward({}, "<>15", R"({"answer":"5"})"), 0);
  EXPECT_EQ(reward({}, "<3+4=7,7-2=5", R"({"answer":"5"})"), 0);
  EXPECT_EQ(reward({}, "", R"({"answer":"5"})"), 0);
  EXPECT_EQ(reward({}, "<>0", R"({"answer":"0"})"), 1) << "a gold answer of 0 is an answer";
}

TEST(Answer, EveryExtractor) {
  EXPECT_EQ(reward({{"extract", "\"between-tags\""}}, "<answer>18</answer>"), 1);
  EXPECT_EQ(reward({{"extract", "\"between-tags\""}, {"open", "\"[\""}, {"close", "\"]\""}}, "[17] [18]"), 1);
  EXPECT_EQ(reward({{"extract", "\"after-hash\""}}, "9 * 2 = 18\n#### 18"), 1);
  EXPECT_EQ(reward({{"extract", "\"last-number\""}}, "She makes $18.00 every day."), 1);
  EXPECT_EQ(reward({{"extract", "\"boxed\""}}, "so $\\boxed{18}$"), 1);
  EXPECT_EQ(reward({{"extract", "\"whole\""}}, " 18\n"), 1);
  EXPECT_EQ(reward({{"extract", "\"whole\""}}, "it is 18"), 0);
  EXPECT_EQ(reward({{"tag", "\"Answer:\""}}, "Answer: 1 Answer: 18"), 1);
}

TEST(Answer, SaysWhatIsWrong) {
  const Options boxed = {{"extract", "\"boxed\""}};
  const char* meta = R"({"answer":"18"})";
  EXPECT_EQ(judge(boxed, "\\boxed{18}", meta).why, "");
  EXPECT_EQ(judge(boxed, "\\boxed{17}", meta).why, "it says \"17\"");
  EXPECT_EQ(judge(boxed, "\\boxed{x}", meta).why, "\"x\" is not a number");
  EXPECT_EQ(judge(boxed, "18", meta).why, "no answer (boxed)");
  EXPECT_EQ(judge({{"extract", "\"boxed\""}, {"compare", "\"text\""}}, "\\boxed{a}", meta).why,
            "it says \"a\"");
}

TEST(Answer, AnAnswerThatIsFoundCanPay) {
  Options form = {{"extract", "\"after-hash\""}, {"right", "1"}, {"found", "0.5"}, {"wrong", "-1"}};
  EXPECT_EQ(reward(form, "9 * 2 = 18\n#### 18"), 1);
  EXPECT_EQ(reward(form, "9 * 2 = 19\n#### 19"), 0.5);
  EXPECT_EQ(reward(form, "#### I do not know"), -1) << "not a number, so not in the form";
  EXPECT_EQ(reward(form, "it is 18"), -1);
  EXPECT_EQ(reward({{"wrong", "-1"}}, ">19"), -1) << "left out: as wrong";
  EXPECT_EQ(reward({{"compare", "\"text\""}, {"found", "0.5"}}, "> Rome", R"({"answer":"Paris"})"), 0.5);
}

TEST(Answer, NumbersAreComparedExactly) {
  Options whole = {{"extract", "\"whole\""}};
  EXPECT_EQ(reward(whole, "1,000", R"({"answer":1000})"), 1);
  EXPECT_EQ(reward(whole, "6/8", R"({"answer":0.75})"), 1);
  EXPECT_EQ(reward(whole, "$20.", R"({"answer":"20%"})"), 1);
  EXPECT_EQ(reward(whole, "9007199254740993", R"({"answer":"9007199254740992"})"), 0);
  EXPECT_EQ(reward({{"extract", "\"whole\""}, {"tolerance", "0.01"}}, "3.15", R"({"answer":"3.14"})"), 1);
  EXPECT_EQ(reward({{"extract", "\"whole\""}, {"tolerance", "0.01"}}, "3.151", R"({"answer":"3.14"})"), 0);
}

TEST(Answer, Text) {
  Options options = {{"extract", "\"whole\""}, {"compare", "\"text\""}};
  EXPECT_EQ(reward(options, "Paris", R"({"answer":"Paris"})"), 1);
  EXPECT_EQ(reward(options, "paris", R"({"answer":"Paris"})"), 0);
  EXPECT_EQ(reward(options, "18.0"), 0);
  options["ignore_case"] = "true";
  EXPECT_EQ(reward(options, "paris", R"({"answer":"Paris"})"), 1);
}

TEST(Answer, RawGsm8kRow) {
  Options options = {{"extract", "\"last-number\""}, {"gold_extract", "\"after-hash\""}};
  std::string meta = R"({"answer":"She makes 9 * 2 = $<<9*2=18>>18 every day.\n#### 18"})";
  EXPECT_EQ(reward(options, "The answer is 18.", meta), 1);
  EXPECT_EQ(reward(options, "The answer is 19.", meta), 0);
}

TEST(Answer, Values) {
  Options options = {{"extract", "\"whole\""}, {"right", "2"}, {"wrong", "-1"}};
  EXPECT_EQ(reward(options, "18"), 2);
  EXPECT_EQ(reward(options, "17"), -1);
  EXPECT_EQ(reward(options, ""), -1);
}

TEST(Answer, WhatCannotBeJudgedIsRefused) {
  for (const char* meta : {"{}", R"({"answer":null})", R"({"other":"18"})", ""}) {
    Verdict v = judge({}, ">18", meta);
    EXPECT_EQ(v.status, TENON_R_REFUSED) << meta;
    EXPECT_NE(v.why.find("\"answer\""), std::string::npos) << v.why;
  }
  EXPECT_EQ(judge({}, ">18", R"({"answer":"eighteen"})").status, TENON_R_REFUSED);
  EXPECT_EQ(judge({{"gold_extract", "\"after-hash\""}}, ">18", R"({"answer":"18"})").status, TENON_R_REFUSED);
  EXPECT_EQ(judge({}, ">18", "{broken").status, TENON_R_CRASHED);
}

TEST(Answer, AGoldThatIsNoNumberIsRefusedWhateverTheCompletionSays) {
  for (const char* gold : {"see the book", "1/0", R"(\\frac{)", "((((", R"({\"a\":1})"})
    for (const char* completion : {"hello", ">2", ">see the book", ""})
      EXPECT_EQ(judge({}, completion, R"({"answer":")" + std::string(gold) + R"("})").status, TENON_R_REFUSED)
          << gold << " " << completion;
}

TEST(Answer, ThoughtsAreNoAnswersUnlessTheRegionIsTheWhole) {
  for (const char* extract : {"\"boxed\"", "\"last-number\""}) {
    const Options answer{{"extract", extract}}, whole{{"extract", extract}, {"region", "\"whole\""}};
    for (const char* completion :
         {"<think>\\boxed{18}", "<think>\\boxed{18}</think>no", "\\boxed{18}</think>no"}) {
      EXPECT_EQ(reward(answer, completion), 0) << completion;
      EXPECT_EQ(reward(whole, completion), 1) << completion;
    }
    for (const char* completion : {"\\boxed{18}", "<think>\\boxed{17}</think>\\boxed{18}"})
      EXPECT_EQ(reward(answer, completion), 1) << completion;
  }
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_EQ(tenon::testing::findings_of(component, Options{{"tag", "\"</think>\""}}).size(), 1u);
  EXPECT_EQ(tenon::testing::findings_of(component, Options{{"tag", "\"</think>\""}, {"region", "\"whole\""}})
                .size(),
            0u);
}

TEST(Answer, NotesWhetherAnAnswerWasFound) {
  EXPECT_EQ(judge({}, ">18", R"({"answer":"18"})").notes.at("found"), 1);
  EXPECT_EQ(judge({}, "18", R"({"answer":"18"})").notes.at("found"), 0);
}

TEST(Answer, AnyBytesAreHarmless) {
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  for (const char* extract : {"after-tag", "between-tags", "after-hash", "last-number", "boxed", "whole"}) {
    EXPECT_EQ(reward({{"extract", "\"" + std::string(extract) + "\""}}, bytes), 0) << extract;
    EXPECT_EQ(reward({{"extract", "\"" + std::string(extract) + "\""}}, std::string(1 << 20, '9')), 0)
        << extract;
  }
}

TEST(Answer, OptionsWithoutEffectAreFound) {
  auto findings = [](Options options) {
    return tenon::testing::findings_of(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                       std::move(options));
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(findings({{"tag", "\">\""}, {"tolerance", "0.1"}}), Lines());
  EXPECT_EQ(findings({{"tag", "\"\""}}), Lines{"tag: is empty: give the text that stands beside the answer"});
  EXPECT_EQ(findings({{"ignore_case", "false"}}), Lines{"ignore_case: compare: numeric knows no letters"});
  EXPECT_EQ(findings({{"compare", "\"text\""}, {"ignore_case", "true"}, {"tolerance", "0"}}),
            Lines{"tolerance: compare: text has none"});
  EXPECT_EQ(findings({{"extract", "\"between-tags\""}, {"open", "\"[\""}, {"close", "\"]\""}}), Lines());
  EXPECT_EQ(
      findings({{"extract", "\"boxed\""}, {"tag", "\">\""}, {"open", "\"[\""}, {"close", "\"]\""}}),
      (Lines{"tag: only extract: after-tag looks for it", "open: only extract: between-tags looks for it",
             "close: only extract: between-tags looks for it"}));
}

}  // namespace
