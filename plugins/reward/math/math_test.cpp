// Tests of the reward math: what it makes of verdicts, golds it cannot read, and reasons. What is equal is tested with the library.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;
using tenon::testing::Verdict;

Verdict judge(Options options, std::string_view completion,
              std::string_view meta = R"({"answer":"\\frac{1}{2}"})") {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::testing::judge(reward, completion, meta);
}
double reward(Options options, std::string_view completion,
              std::string_view meta = R"({"answer":"\\frac{1}{2}"})") {
  Verdict v = judge(std::move(options), completion, meta);
  EXPECT_EQ(v.status, TENON_R_OK) << v.why;
  return v.reward;
}

TEST(Math, RightAndWrong) {
  EXPECT_EQ(reward({}, "<think>It is 3.</think> So $\\boxed{0.5}$."), 1);
  EXPECT_EQ(reward({}, "<think>It is 1/2.</think> So $\\boxed{3}$."), 0);
  EXPECT_EQ(reward({}, "<think>It is \\boxed{1/2}"), 0) << "the thinking never ended";
  EXPECT_EQ(reward({{"right", "2"}, {"wrong", "-1"}}, "\\boxed{2/4}"), 2);
  EXPECT_EQ(reward({{"right", "2"}, {"wrong", "-1"}}, "no idea"), -1);
}

TEST(Math, TheReasonNamesTheVerdict) {
  EXPECT_TRUE(judge({}, "\\boxed{1/2}").why.starts_with("equal: "));
  EXPECT_TRUE(judge({}, "\\boxed{1/3}").why.starts_with("different: "));
  EXPECT_TRUE(judge({}, "\\boxed{\\frac{1}}").why.starts_with("unparsed_prediction: "));
  EXPECT_TRUE(judge({}, "").why.starts_with("unparsed_prediction: "));
  EXPECT_TRUE(judge({}, "\\boxed{" + std::string(2000, '(') + "1" + std::string(2000, ')') + "}")
                  .why.starts_with("limit: "));
  const std::string path = judge({{"explain", "true"}}, "so \\boxed{0.5}").why;
  EXPECT_NE(path.find("| answer: 0.5"), std::string::npos) << path;
  EXPECT_NE(path.find("the answer stands in the last box"), std::string::npos) << path;
}

TEST(Math, AGoldThatCannotBeReadIsNotApplicable) {
  for (const char* meta : {R"({"answer":"\\frac{1}"})", R"({"answer":""})", R"({"answer":"("})"}) {
    const Verdict v = judge({}, "\\boxed{1}", meta);
    EXPECT_EQ(v.status, TENON_R_NOT_APPLICABLE) << meta;
    EXPECT_NE(v.why.find("unparsed_gold"), std::string::npos) << v.why;
  }
  EXPECT_EQ(judge({}, "\\boxed{1}", "{}").status, TENON_R_REFUSED);
  EXPECT_EQ(judge({{"gold", "\"final\""}}, "\\boxed{1}", R"({"final":"1"})").reward, 1);
}

TEST(Math, AGoldThatIsNeitherTextNorNumberIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"answer":{"a":1}})", "an object"}, {R"({"answer":["1"]})", "a list"},
      {R"({"answer":true})", "a boolean"},    {R"({"answer":false})", "a boolean"},
      {R"({"answer":null})", "null"},         {"{}", "absent"}};
  for (const auto& [meta, what] : cases)
    for (const char* completion : {"", "\\boxed{1}"}) {
      const Verdict v = judge({}, completion, meta);
      EXPECT_EQ(v.status, TENON_R_REFUSED) << meta;
      EXPECT_NE(v.why.find(std::string("field \"answer\" is ") + what), std::string::npos) << v.why;
    }
  EXPECT_EQ(reward({}, "\\boxed{1/2}", R"({"answer":0.5})"), 1);
  EXPECT_EQ(reward({}, "\\boxed{-3}", R"({"answer":-3})"), 1);
  EXPECT_EQ(reward({}, "\\boxed{true}", R"({"answer":"true"})"), 1);
}

TEST(Math, AGoldThatIsQuotedInPartEndsInDots) {
  const std::string gold(100, '(');
  const std::string why = judge({}, "\\boxed{1}", "{\"answer\":\"" + gold + "\"}").why;
  EXPECT_NE(why.find("((…\" cannot be read"), std::string::npos) << why;
  const std::string whole = judge({}, "\\boxed{1}", R"({"answer":"(("})").why;
  EXPECT_NE(whole.find("\"((\" cannot be read"), std::string::npos) << whole;
}

TEST(Math, SolutionsHoldTheGoldAsTheyArePublished) {
  const char* gsm8k = R"({"answer":"She makes 9 * 2 = $<<9*2=18>>18 every day.\n#### 18"})";
  const char* solution =
      R"({"answer":"We have $x = 3$, so $x^2 = 9$ and the answer is $\\boxed{\\frac{9}{2}}$. Indeed."})";
  EXPECT_EQ(reward({}, "\\boxed{18}", gsm8k), 1);
  EXPECT_EQ(reward({}, "\\boxed{9}", gsm8k), 0);
  EXPECT_EQ(reward({}, "\\boxed{4.5}", solution), 1);
  EXPECT_EQ(reward({}, "\\boxed{9}", solution), 0);
  EXPECT_EQ(reward({}, "\\boxed{5}", R"({"answer":"x = \\boxed{5}"})"), 1);
  EXPECT_EQ(reward({}, "\\boxed{5}", R"({"answer":"$x=2$, so it is $\\boxed{5}$"})"), 1);
  // Two boxes do not say which of them it is, unless the last one is asked for.
  const char* two = R"({"answer":"First $\\boxed{1}$ and thus $\\boxed{2}$ follows."})";
  EXPECT_EQ(judge({}, "\\boxed{2}", two).status, TENON_R_NOT_APPLICABLE);
  EXPECT_EQ(reward({{"gold_extract", "\"boxed\""}}, "\\boxed{2}", two), 1);
}

TEST(Math, GoldExtractSaysWhereTheGoldIs) {
  const char* both = R"({"answer":"so \\boxed{1}, 2 apples\n#### 3 \nmore 4"})";
  const std::pair<const char*, const char*> places[] = {
      {"auto", "3"}, {"after-hash", "3"}, {"boxed", "1"}, {"last-number", "4"}};
  for (const auto& [place, gold] : places)
    for (const char* answer : {"1", "2", "3", "4"})
      EXPECT_EQ(reward({{"gold_extract", "\"" + std::string(place) + "\""}},
                       "\\boxed{" + std::string(answer) + "}", both),
                std::string(answer) == gold ? 1 : 0)
          << place;
  EXPECT_EQ(judge({{"gold_extract", "\"whole\""}}, "\\boxed{3}", both).status, TENON_R_NOT_APPLICABLE);
  for (const char* place : {"after-hash", "boxed", "last-number"}) {
    const Verdict v = judge({{"gold_extract", "\"" + std::string(place) + "\""}}, "\\boxed{3}",
                            R"({"answer":"\\boxed{x ####"})");
    EXPECT_EQ(v.status, TENON_R_REFUSED) << place;
    EXPECT_NE(v.why.find("(" + std::string(place) + ")"), std::string::npos) << v.why;
  }
}

TEST(Math, BareAnswers) {
  EXPECT_EQ(reward({{"bare", "true"}}, "\\frac{2}{4}"), 1);
  EXPECT_EQ(reward({}, "\\frac{2}{4}", R"({"answer":"1/2","bare":true})"), 1);
  EXPECT_EQ(reward({{"bare", "true"}}, "the answer may be 1/2 or more"), 0);
}

TEST(Math, ARowSaysTrueOrFalseOfBareOrIsRefused) {
  for (const char* option : {"true", "false"}) {
    for (const char* value :
         {"\"true\"", "\"yes\"", "\"\"", "1", "0", "null", "[]", "{}", "\"TRUE\"", "[true]"}) {
      const Verdict v =
          judge({{"bare", option}}, "1/2", R"({"answer":"1/2","bare":)" + std::string(value) + "}");
      EXPECT_EQ(v.status, TENON_R_REFUSED) << value;
      EXPECT_NE(v.why.find("\"bare\""), std::string::npos) << v.why;
    }
    EXPECT_EQ(judge({{"bare", option}}, "1/2", R"({"answer":"1/2","bare":true})").status, TENON_R_OK);
    EXPECT_EQ(judge({{"bare", option}}, "1/2", R"({"answer":"1/2","bare":false})").status, TENON_R_OK);
  }
}

TEST(Math, AFieldThatStandsTwiceIsRefused) {
  for (const char* meta : {R"({"answer":"1","answer":"2"})", R"({"answer":"1","x":0,"answer":"1"})",
                           R"({"answer":"1","bare":true,"bare":false})"}) {
    const Verdict v = judge({}, "1", meta);
    EXPECT_EQ(v.status, TENON_R_REFUSED) << meta;
    EXPECT_NE(v.why.find("more than once"), std::string::npos) << v.why;
  }
  EXPECT_EQ(reward({}, "1", R"({"answer":"1","x":1,"x":2,"y":{"answer":3}})"), 1);
}

TEST(Math, PoliciesAreOptions) {
  EXPECT_EQ(reward({}, "\\boxed{50}", R"({"answer":"50\\%"})"), 1);
  EXPECT_EQ(reward({{"percent", "\"fraction\""}}, "\\boxed{50}", R"({"answer":"50\\%"})"), 0);
  EXPECT_EQ(reward({{"tolerance", "0.1"}}, "\\boxed{0.55}"), 1);
  EXPECT_EQ(reward({{"assignment", "false"}}, "\\boxed{x=1/2}"), 0);
}

TEST(Math, AnyBytesAreHarmless) {
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  EXPECT_EQ(reward({}, bytes), 0);
  EXPECT_EQ(reward({}, "\\boxed{" + bytes + "}"), 0);
  EXPECT_EQ(reward({}, std::string(1 << 20, '9')), 0);
}

TEST(Math, TheCacheForgetsAndKnows) {
  Options options = {{"cache", "2"}};
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  for (int round = 0; round < 2; ++round)
    for (int k = 1; k <= 4; ++k) {
      const std::string meta = "{\"answer\":\"" + std::to_string(k) + "\"}";
      EXPECT_EQ(tenon::testing::judge(reward, "\\boxed{" + std::to_string(k) + "}", meta).reward, 1);
      EXPECT_EQ(tenon::testing::judge(reward, "\\boxed{9}", meta).reward, 0);
    }
}

// A completion of a prompt, judged by one instance.
Verdict judge_prompt(const tenon::testing::Created& reward, std::string_view prompt,
                     std::string_view completion, std::string_view meta) {
  tenon::Ragged<char> prompts, completions, metas;
  prompts.push(prompt);
  completions.push(completion);
  metas.push(meta);
  const uint64_t id = 0;
  Verdict v;
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = 1;
  in.sample_id = in.group_id = &id;
  in.prompt = prompts.raw(), in.completion = completions.raw(), in.meta_json = metas.raw();
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
  err.check(
      static_cast<const tenon_reward_vt*>(reward.ref().vt)->score(reward.self, nullptr, &in, &out, err));
  return v;
}

TEST(Math, TheQuestionsOwnFormulaIsNotWorkedOut) {
  struct Case {
    const char *prompt, *gold, *copy, *right;
  };
  const Case cases[] = {
      {"Expand $(1+x)^2$.", "1+2x+x^2", "\\left( 1 + x \\right)^{2}", "x^2+2x+1"},
      {"Expand $(1+x)^2$.", "1+2x+x^2", "((x+1)^2)", "2x+1+x^2"},
      {"Factor \\(x^2+2x+1\\).", "(x+1)^2", "1+x^2+2x", "(1+x)^2"},
      {"Simplify $\\sqrt{48}$.", "4\\sqrt{3}", "\\sqrt{48}", "4 \\cdot \\sqrt 3"},
      {"Write $\\frac{6}{8}$ in lowest terms.", "3/4", "\\frac68", "\\frac{3}{4}"},
      {"Solve $x+1=5$.", "x=4", "x + 1 = 5", "x=4"},
      {"What is 7/20 + 6/20?", "13/20", "7/20+6/20", "13/20"},
      {"Expand (1+x)^2, please.", "1+2x+x^2", "(1+x)^2", "1+2x+x^2"},
  };
  for (const Case& c : cases) {
    const std::string meta = "{\"answer\":" + tenon::json::quote(c.gold) + "}",
                      copy = "\\boxed{" + std::string(c.copy) + "}",
                      right = "\\boxed{" + std::string(c.right) + "}";
    const tenon::testing::Instance<tenon_reward_vt> off(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), Options());
    const tenon::testing::Instance<tenon_reward_vt> on(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), Options{{"worked_out", "true"}});
    EXPECT_EQ(judge_prompt(off, c.prompt, copy, meta).reward, 1) << c.prompt;
    const Verdict v = judge_prompt(on, c.prompt, copy, meta);
    EXPECT_EQ(v.reward, 0) << c.prompt << " " << v.why;
    EXPECT_NE(v.why.find("not worked out"), std::string::npos) << v.why;
    EXPECT_EQ(judge_prompt(on, c.prompt, right, meta).reward, 1) << c.prompt;
  }
  // Any bytes may be a prompt.
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  for (const std::string& prompt :
       {bytes, "$" + bytes + "$", std::string(1 << 17, '('), "$" + std::string(1 << 15, '(') + "$"})
    EXPECT_EQ(judge_prompt(tenon::testing::Instance<tenon_reward_vt>(
                               tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                               Options{{"worked_out", "true"}}),
                           prompt, "\\boxed{5}", R"({"answer":"5"})")
                  .reward,
              1);
  // A formula of the prompt that is the gold as it is written is the answer.
  const tenon::testing::Instance<tenon_reward_vt> on(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), Options{{"worked_out", "true"}});
  EXPECT_EQ(judge_prompt(on, "Which is larger, $x^2+1$ or $x^2$?", "\\boxed{1+x^2}", R"({"answer":"x^2+1"})")
                .reward,
            1);
}

TEST(Math, QuestionsThatAreTheirOwnAnswersAreCountedAndToldOnce) {
  for (const char* worked_out : {"false", "true"})
    for (int rows : {10, 64, 100}) {
      tenon::testing::TestHost host(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                    {{"worked_out", worked_out}});
      {
        const tenon::testing::Created reward(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
                                             host.raw());
        for (int twice = 0; twice < 2; ++twice)
          for (int k = 0; k < rows; ++k) {
            const std::string n = std::to_string(k), gold = "{\"answer\":\"" + std::to_string(k + 5) + "\"}";
            judge_prompt(
                reward,
                k % 2 == 0 ? "What is " + n + " + 5? Answer in \\boxed{}." : "What is " + n + " more than 5?",
                "", gold);
          }
      }
      std::vector<std::string> expected;
      const auto told = [](int all) {
        return "in " + std::to_string(all / 2) + " of " + std::to_string(all) +
               " rows the prompt's last formula";
      };
      if (std::string(worked_out) == "false") {
        if (rows >= 64) expected.push_back(told(64));
        if (rows != 64) expected.push_back(told(rows));
      }
      ASSERT_EQ(host.logs.size(), expected.size()) << rows;
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(host.logs[i].first, TENON_LOG_WARN);
        EXPECT_TRUE(host.logs[i].second.starts_with(expected[i])) << host.logs[i].second;
      }
    }
}

}  // namespace
