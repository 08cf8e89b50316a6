// Letters, words, both, and what names nothing.
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

const tenon::testing::Instance<tenon_reward_vt>& plain() {
  static const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)));
  return reward;
}
Verdict judge(const Options& options, std::string_view completion, std::string_view meta) {
  const tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  return tenon::testing::judge(reward, completion, meta);
}
// The capital of France; B is right.
Verdict of(std::string_view completion) {
  return tenon::testing::judge(plain(), completion,
                               R"({"choices":["Rome","Paris","New York","A dog"],"answer":"B"})");
}

TEST(MultipleChoice, ALetterInEveryDress) {
  for (const char* text : {"B",
                           "b",
                           "(B)",
                           "[B]",
                           "B.",
                           "B)",
                           "**B**",
                           "**B.**",
                           "(b).",
                           "$B$",
                           "\\text{B}",
                           "\\textbf{(B)}",
                           "option B",
                           "The answer is B",
                           "The correct answer is (B).",
                           "Answer: B",
                           "**Answer:** B",
                           "the answer is **B**",
                           "\\boxed{B}",
                           "so \\boxed{\\text{(B)}}",
                           "<answer>B</answer>",
                           "<think>C or D?\nI say C.</think>\nIt is Paris, so\nAnswer: B",
                           "<think>The answer is C</think><answer> (B) </answer>",
                           "答案是B",
                           "答案：B",
                           "B: Paris",
                           "B. Paris",
                           "(B) Paris",
                           "B) Paris",
                           "B, because the Seine flows there",
                           "B\nParis",
                           "B\n\nThe Seine flows\nthere.",
                           "It is Paris\n(B)",
                           "The answer is B because the Seine flows there.",
                           "The answer is B, since it is the capital; Rome is Italy's.",
                           "B is the correct answer.",
                           "The answer is **B** \u2014 Paris",
                           "B; Paris",
                           "The answer is option B: Paris."})
    EXPECT_EQ(of(text).reward, 1) << text << ": " << of(text).why;
}

// ARC's rows whose labels are numbers: the label that the prompt shows is the answer, also where it is the words of another choice.
TEST(MultipleChoice, ANumberThatIsALabel) {
  const auto reward = [](const std::string& completion, int gold) {
    return tenon::testing::judge(
               plain(), completion,
               R"({"choices":{"text":["Rome","3","New York","2.5"],"label":["1","2","3","4"]},"answer":")" +
                   std::to_string(gold) + "\"}")
        .reward;
  };
  const std::vector<std::string> texts = {"Rome", "3", "New York", "2.5"};
  for (int gold = 1; gold <= 4; ++gold)
    for (int said = 1; said <= 4; ++said) {
      const std::string label = std::to_string(said), &text = texts[static_cast<size_t>(said) - 1];
      for (const std::string& form :
           {label, "(" + label + ")", label + ".", "[" + label + "]", "**" + label + "**", "option " + label,
            "The answer is " + label + ".", "Answer: (" + label + ")", "\\boxed{" + label + "}",
            "(" + label + ") " + text, label + ". " + text, label + ": " + text})
        EXPECT_EQ(reward(form, gold), said == gold ? 1 : 0) << form << " gold " << gold;
      EXPECT_EQ(reward("2.5", gold), gold == 4 ? 1 : 0) << "the words of the fourth";
      for (const char* none : {"-2", "22", "1 or 2", "1, 2", "2 dogs", "2%", "(2) New York"})
        EXPECT_EQ(reward(none, gold), 0) << none << " gold " << gold;
    }
}

TEST(MultipleChoice, Words) {
  for (const char* text : {"Paris", "paris.", "**Paris**", "The answer is Paris.", "<answer>Paris</answer>",
                           "\\boxed{\\text{Paris}}"})
    EXPECT_EQ(of(text).reward, 1) << text << ": " << of(text).why;
  for (const char* text : {"New York", "A dog", "The answer is A dog."})
    EXPECT_EQ(of(text).why.substr(0, 8), "it names") << text;
}

TEST(MultipleChoice, AnotherChoiceIsWrong) {
  for (const char* text :
       {"A", "(C)", "Rome", "The answer is B? No, the answer is C", "\\boxed{B} then \\boxed{C}"}) {
    EXPECT_EQ(of(text).reward, 0) << text;
    EXPECT_EQ(of(text).notes.at("found"), 1) << text;
  }
}

TEST(MultipleChoice, WhatNamesNoneOrTwo) {
  for (const char* text : {"",
                           "E",
                           "Berlin",
                           "A capital",
                           "Be",
                           "B or C",
                           "B and C",
                           "B, C",
                           "(B) and (C)",
                           "B/C",
                           "B. Rome",
                           "(B) New York",
                           "I like Paris best",
                           "Paris or Rome",
                           "I do\nnot know",
                           "BB",
                           "B is wrong",
                           "not B",
                           "The answer is not B",
                           "B is it?",
                           "The answer is B or maybe C",
                           "A as well as B",
                           "<think>The answer is B",
                           "</think>B<think>B",
                           "\uFF22",
                           "\u0412",
                           "A, B, C, D",
                           "1"}) {
    EXPECT_EQ(of(text).reward, 0) << text;
    EXPECT_EQ(of(text).notes.at("found"), 0) << text << ": " << of(text).why;
    EXPECT_NE(of(text).why, "") << text;
  }
}

TEST(MultipleChoice, GoldAsLetterIndexOrWords) {
  for (const char* gold : {"\"B\"", "\"(b)\"", "1", "\"Paris\""})
    EXPECT_EQ(judge({}, "B", R"({"choices":["Rome","Paris"],"answer":)" + std::string(gold) + "}").reward, 1)
        << gold;
  for (const char* gold : {"\"C\"", "2", "-1", "\"London\"", "null", "1.5"})
    EXPECT_EQ(judge({}, "B", R"({"choices":["Rome","Paris"],"answer":)" + std::string(gold) + "}").status,
              TENON_R_REFUSED)
        << gold;
  EXPECT_EQ(judge({}, "B", "{}").status, TENON_R_REFUSED);
  EXPECT_EQ(judge({}, "B", R"({"choices":["Rome"],"answer":"A"})").status, TENON_R_REFUSED);
  EXPECT_EQ(judge({}, "B", R"({"choices":"Rome","answer":"A"})").status, TENON_R_REFUSED);
}

TEST(MultipleChoice, ChoicesWithLabelsOfTheirOwn) {
  // As ARC has them.
  for (const char* labels : {R"(["A","B","C"])", R"(["1","2","3"])"}) {
    const std::string key = labels[2] == 'A' ? "B" : "2";
    const std::string meta = R"({"choices":{"text":["ice","steam","rock"],"label":)" + std::string(labels) +
                             R"(},"answerKey":")" + key + "\"}";
    EXPECT_EQ(judge({{"answer", "\"answerKey\""}}, "<answer>B</answer>", meta).reward, 1);
    EXPECT_EQ(judge({{"answer", "\"answerKey\""}}, "<answer>steam</answer>", meta).reward, 1);
    EXPECT_EQ(judge({{"answer", "\"answerKey\""}}, "<answer>A</answer>", meta).reward, 0);
  }
  EXPECT_EQ(judge({}, "A", R"({"choices":{"label":["A"]},"answer":"A"})").status, TENON_R_REFUSED);
}

TEST(MultipleChoice, WithoutTextsAndWithLettersAsTexts) {
  EXPECT_EQ(judge({}, "(D)", R"({"answer":"D"})").reward, 1);
  EXPECT_EQ(judge({}, "E", R"({"answer":"D"})").why, "a letter that is no choice");
  EXPECT_EQ(judge({{"n_choices", "5"}}, "E", R"({"answer":"E"})").reward, 1);
  const char* letters = R"({"choices":["B","C","D","A"],"answer":"A"})";
  EXPECT_EQ(judge({}, "A", letters).reward, 1) << "the label";
  const char* all = R"({"choices":["one","two","A and B","none"],"answer":"C"})";
  EXPECT_EQ(judge({}, "(C) A and B", all).reward, 1) << "a choice that names others";
  EXPECT_EQ(judge({}, "A and B", all).reward, 1) << "its words";
  EXPECT_EQ(judge({}, "(D) A and B", all).notes.at("found"), 0);
  const char* names =
      R"({"choices":["William James","John Money","B. F. Skinner","Carl Rogers"],"answer":"C"})";
  for (const char* text : {"B. F. Skinner", "(C) B. F. Skinner", "The answer is C. B. F. Skinner"})
    EXPECT_EQ(judge({}, text, names).reward, 1) << text;
  EXPECT_EQ(judge({}, "A. B", letters).reward, 1) << "the label and its words";
  EXPECT_EQ(judge({}, "A. D", letters).notes.at("found"), 0) << "two letters";
}

TEST(MultipleChoice, PlacesAndValues) {
  const char* meta = R"({"answer":"B"})";
  EXPECT_EQ(judge({{"extract", "\"boxed\""}}, "The answer is C, \\boxed{B}", meta).reward, 1);
  EXPECT_EQ(judge({{"extract", "\"after-tag\""}, {"tag", "\">\""}}, "a > B", meta).reward, 1);
  EXPECT_EQ(judge({{"extract", "\"between-tags\""}}, "B", meta).reward, 0);
  EXPECT_EQ(judge({{"extract", "\"whole\""}}, " B\n", meta).reward, 1);
  const Options values = {{"right", "2"}, {"wrong", "-1"}, {"none", "-2"}};
  EXPECT_EQ(judge(values, "B", meta).reward, 2);
  EXPECT_EQ(judge(values, "C", meta).reward, -1);
  EXPECT_EQ(judge(values, "?", meta).reward, -2);
}

TEST(MultipleChoice, AnyBytesAreHarmless) {
  std::string bytes;
  for (int c = 255; c >= 0; --c) bytes += static_cast<char>(c);
  EXPECT_EQ(of(bytes).reward, 0);
  EXPECT_EQ(of(std::string(1 << 20, '(')).reward, 0);
}

// On MMLU each row's right letter earns the reward in every dress, alone and with its text, and no other letter does.
TEST(MultipleChoice, Mmlu) {
  const char* folder = std::getenv("TENON_DATA");
  if (folder == nullptr) GTEST_SKIP() << "TENON_DATA is not set";
  std::ifstream file(std::string(folder) + "/mmlu/dev.jsonl");
  ASSERT_TRUE(file.good());
  size_t rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const std::string gold = *tenon::json::text_field(line, "answer");
    const std::string choices = *tenon::json::text_field(line, "choices");
    const auto texts = tenon::json::elements(choices);
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string letter(1, static_cast<char>('A' + i)),
          text = tenon::json::detail::Scanner{texts[i]}.string();
      const double wanted = letter == gold ? 1 : 0;
      for (const std::string& said :
           {letter, "(" + letter + ")", "**" + letter + "**", "The answer is " + letter + ".",
            "<answer>" + letter + ". " + text + "</answer>"})
        EXPECT_EQ(tenon::testing::judge(plain(), said, line).reward, wanted) << said << " of " << line;
    }
  }
  EXPECT_EQ(rows, 285u);
}

}  // namespace
