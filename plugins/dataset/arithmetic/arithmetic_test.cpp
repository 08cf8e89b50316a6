// Tests of the data set arithmetic: the work in every completion is true and made of the question's numbers,
// and splits are disjoint.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "stories.h"
#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

std::vector<tenon::Row> rows(std::map<std::string, std::string> options, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, 0, n);
}

std::multiset<int64_t> numbers(const std::string& text) {
  std::multiset<int64_t> out;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] >= '0' && text[i] <= '9') {
      size_t used = 0;
      out.insert(std::stoll(text.substr(i), &used));
      i += used;
    }
  return out;
}

TEST(Arithmetic, EveryRowIsRight) {
  std::set<size_t> lengths;
  for (const auto& row : rows({}, 3000)) {
    EXPECT_EQ(row.prompt.find_first_of("{}"), std::string::npos) << row.prompt;
    std::istringstream work(row.completion);
    std::multiset<int64_t> used;
    int64_t value = -1, x = 0, y = 0, z = 0;
    char op = 0, equals = 0, stop = 0;
    size_t steps = 0;
    while (work >> x >> op >> y >> equals >> z >> stop) {
      EXPECT_EQ(z, op == '+' ? x + y : op == '-' ? x - y : x * y) << row.completion;
      EXPECT_GE(z, 1);
      if (steps == 0)
        used.insert(x);
      else
        EXPECT_EQ(x, value) << row.completion;
      used.insert(y);
      value = z;
      ++steps;
    }
    lengths.insert(steps);
    EXPECT_EQ(numbers(row.prompt), used) << row.prompt << " / " << row.completion;
    EXPECT_EQ(row.meta("answer"), std::to_string(value));
    EXPECT_TRUE(row.completion.ends_with(" The answer is " + std::to_string(value) + ".")) << row.completion;
  }
  EXPECT_EQ(lengths, (std::set<size_t>{1, 2}));
  for (const auto& row : rows({{"operations", "1"}}, 500))
    EXPECT_EQ(numbers(row.prompt).size(), 2u) << row.prompt;
}

TEST(Arithmetic, EveryStoryIsToldWithDifferentPeople) {
  std::set<std::string> questions;
  for (const auto& row : rows({}, 3000)) questions.insert(*row.meta("question"));
  EXPECT_GT(questions.size(), 2900u);
  for (const auto& story : tenon::arithmetic::stories()) {
    EXPECT_EQ(story.operations.find('*', 1), std::string_view::npos);
    for (const char* name : {"{x}", "{y}"})
      EXPECT_NE(story.text.find(name), std::string_view::npos) << story.text;
    EXPECT_EQ(story.text.find("{z}") != std::string_view::npos, story.operations.size() == 2) << story.text;
    EXPECT_TRUE(story.text.ends_with('?'));
  }
}

TEST(Arithmetic, SplitsShareNoQuestion) {
  std::set<std::string> train, test;
  for (const auto& row : rows({{"operations", "1"}, {"max_number", "3"}}, 10000)) train.insert(row.prompt);
  for (const auto& row : rows({{"operations", "1"}, {"max_number", "3"}, {"split", "\"test\""}}, 1500))
    test.insert(row.prompt);
  EXPECT_GT(test.size(), 300u);
  for (const auto& q : test) EXPECT_EQ(train.count(q), 0u) << q;
}

TEST(Arithmetic, TemplateAndChat) {
  auto row = rows({{"template", "\"{question} Answer with a number.\""}, {"as", "\"messages\""}}, 1)[0];
  EXPECT_EQ(row.messages_json,
            R"([{"role":"user","content":")" + *row.meta("question") + R"( Answer with a number."}])");
  EXPECT_THROW(rows({{"template", "\"{q}\""}}, 1), tenon::Error);
}

TEST(Arithmetic, TheSmallestNumbersStillGiveQuestions) {
  EXPECT_EQ(rows({{"max_number", "2"}}, 200).size(), 200u);
}

}  // namespace
