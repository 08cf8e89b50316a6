// What reaches the target, what does not, and what plays by other rules.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;
using tenon::testing::Verdict;

const Options kWhole = {{"extract", "\"whole\""}};

Verdict judge(const Options& options, std::string_view completion, std::string_view meta) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  return tenon::testing::judge(reward, completion, meta);
}
// Of an expression with the numbers 3, 8, 8 and 3.
Verdict of(std::string_view expression, std::string_view target = "24") {
  return judge(kWhole, expression, R"({"nums":[3,8,8,3],"target":)" + std::string(target) + "}");
}

TEST(CountdownCheck, ReachesTheTarget) {
  EXPECT_EQ(of("8/(3-8/3)").reward, 1) << "exact fractions";
  EXPECT_EQ(of("8/(3-8/3) = 24").reward, 1);
  EXPECT_EQ(of("$8 \\div (3 - \\frac{8}{3})$").reward, 1);
  EXPECT_EQ(of("8 \u00F7 [3 \u2212 8\u00F73]").reward, 1);
  EXPECT_EQ(of("\\dfrac{8}{\\left(3-\\dfrac{8}{3}\\right)}").reward, 1);
  for (const char* dressed :
       {"\\(8/(3-8/3)\\)", "\\[ 8/(3-8/3) = 24 \\]", "\\boxed{8/(3-8/3)}", "$\\boxed{\\frac{8}{3-8/3}}$",
        "$$8/(3-\\tfrac{8}{3})$$", "8\u2215(3\u22128\u22153)"})
    EXPECT_EQ(of(dressed).reward, 1) << dressed << ": " << of(dressed).why;
  EXPECT_EQ(of("-3-8+8*3", "13").reward, 1);
  EXPECT_EQ(of("-(3-8)+8+3", "16").reward, 1);
  EXPECT_EQ(of("8-8-3-3", "-6").reward, 1) << "from the left";
  EXPECT_EQ(of("8/8/3*3").reward, 0);
  EXPECT_EQ(of("8*8/3/3", "64").reward, 0);
}

TEST(CountdownCheck, MissesIt) {
  EXPECT_EQ(of("8+8+3+3").reward, 0);
  EXPECT_EQ(of("8+8+3+3").why, "it is 22");
  EXPECT_EQ(of("8/(3-8/3) = 25").why, "its equation is false");
  EXPECT_EQ(of("8+8+3+3 = 24").reward, 0) << "a claim is no value";
  EXPECT_EQ(of("8/(8-8)+3").why, "8 is not given, or used once too often");
  EXPECT_EQ(of("8/(3-3)+8").why, "it divides by zero");
}

TEST(CountdownCheck, OtherRulesAreNotPlayed) {
  for (const char* text : {"24",
                           "8*3",
                           "3*8*8/8*3/3",
                           "8**3",
                           "83-8-3",
                           "8//3",
                           "(8)(3)",
                           "8 8 3 3",
                           "2(3)",
                           "8+",
                           "+",
                           "()",
                           "(8+8+3+3",
                           "8+8+3+3)",
                           "8+8)+(3+3",
                           "8+--8+3+3",
                           "\\frac{8}",
                           "{8}+8+3+3",
                           "8=8=8",
                           "__import__('os')",
                           "8/(3-8/3) or 1",
                           "abs(8)",
                           "8e1",
                           "8.",
                           "0x8",
                           "",
                           "\\sqrt{8}",
                           "8/(3-8/3)=24=24",
                           "8/(3-8/3)\n8/(3-8/3)",
                           "8/(3-8/3), 24",
                           "8/(3-8/3) = 24 = 8/(3-8/3)",
                           "8*3+0*(8-3)",
                           "8^3",
                           "8\u00B3",
                           "\uFF18/(3-8/3)",
                           "(8*3)!",
                           "\\boxed{8/(3-8/3)",
                           "\\boxed{8/(3-8/3)}{}",
                           "\\boxed{3+8}\\boxed{8/(3-8/3)}",
                           "=24"})
    EXPECT_EQ(of(text).reward, 0) << text;
}

TEST(CountdownCheck, EachNumberExactlyOrAtMostOnce) {
  const char* meta = R"({"nums":[1,2,3,4],"target":6})";
  Options options = kWhole;
  EXPECT_EQ(judge(options, "2*3", meta).reward, 0);
  EXPECT_EQ(judge(options, "2*3", meta).why, "not all numbers are used");
  EXPECT_EQ(judge(options, "2*3*(4-1)/3", meta).reward, 0);
  EXPECT_EQ(judge(options, "4+3-2+1", meta).reward, 1);
  options["use_each"] = "\"at-most-once\"";
  EXPECT_EQ(judge(options, "2*3", meta).reward, 1);
  EXPECT_EQ(judge(options, "3+3", meta).reward, 0);
}

TEST(CountdownCheck, ValuesAndPlaces) {
  const char* meta = R"({"nums":["10","2"],"target":"20"})";
  EXPECT_EQ(judge({}, "<think>10+2</think> <answer> 10*2 </answer>", meta).reward, 1);
  EXPECT_EQ(judge({}, "10*2", meta).reward, 0);
  EXPECT_EQ(judge({{"extract", "\"boxed\""}}, "so \\boxed{10*2}", meta).reward, 1);
  EXPECT_EQ(judge({{"extract", "\"after-tag\""}}, "Answer: 1 Answer: 10*2", meta).reward, 1);
  const Options partial = {{"valid", "0.1"}, {"wrong", "-1"}, {"right", "2"}};
  EXPECT_EQ(judge(partial, "<answer>10*2</answer>", meta).reward, 2);
  EXPECT_EQ(judge(partial, "<answer>10+2</answer>", meta).reward, 0.1);
  EXPECT_EQ(judge(partial, "<answer>10+3</answer>", meta).reward, -1);
  EXPECT_EQ(judge(partial, "12", meta).reward, -1);
  EXPECT_EQ(judge(partial, "<answer>10+2</answer>", meta).notes.at("valid"), 1);
  EXPECT_EQ(judge(partial, "12", meta).notes.at("found"), 0);
}

TEST(CountdownCheck, ThoughtsAreNoAnswersUnlessTheRegionIsTheWhole) {
  for (const char* completion :
       {"<think><answer>8/(3-8/3)</answer>", "<think><answer>8/(3-8/3)</answer></think> dunno"}) {
    const char* meta = R"({"nums":[8,3,8,3],"target":24})";
    EXPECT_EQ(judge({}, completion, meta).reward, 0) << completion;
    EXPECT_EQ(judge({{"region", "\"whole\""}}, completion, meta).reward, 1) << completion;
  }
}

TEST(CountdownCheck, RowsThatCannotBeJudgedAreRefused) {
  for (const char* meta :
       {"{}", R"({"nums":[1,2]})", R"({"target":3})", R"({"nums":3,"target":3})", R"({"nums":[],"target":3})",
        R"({"nums":["x"],"target":3})", R"({"nums":[-1,4],"target":3})", R"({"nums":[1],"target":"three"})"})
    EXPECT_EQ(judge(kWhole, "1+2", meta).status, TENON_R_REFUSED) << meta;
}

TEST(CountdownCheck, HostileExpressionsCostLittle) {
  EXPECT_EQ(of(std::string(100000, '(')).reward, 0);
  EXPECT_EQ(of(std::string(4000, '(')).reward, 0);
  EXPECT_EQ(of(std::string(4000, '-') + "8").reward, 0);
  EXPECT_EQ(of(std::string(4000, '9')).reward, 0);
  std::string nested;
  for (int i = 0; i < 500; ++i) nested += "\\frac{";
  EXPECT_EQ(of(nested).reward, 0);
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  EXPECT_EQ(of(bytes).reward, 0);
}

// Every published solution reaches its target; with another target, or with one number changed, none does.
TEST(CountdownCheck, SolutionsOfTheSample) {
  const char* folder = std::getenv("TENON_DATA");
  if (folder == nullptr) GTEST_SKIP() << "TENON_DATA is not set";
  std::ifstream file(std::string(folder) + "/countdown/problems.jsonl");
  ASSERT_TRUE(file.good());
  size_t rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const std::string solution = *tenon::json::text_field(line, "solution");
    const std::string target = *tenon::json::text_field(line, "target"),
                      nums = *tenon::json::text_field(line, "nums");
    EXPECT_EQ(judge(kWhole, solution, line).reward, 1) << line;
    EXPECT_EQ(judge(kWhole, solution, R"({"nums":)" + nums + R"(,"target":)" + target + "1}").reward, 0)
        << line;
    EXPECT_EQ(judge(kWhole, solution + "+0", line).reward, 0) << line;
  }
  EXPECT_EQ(rows, 1000u);
}

}  // namespace
