// Tests of the data set number-words: every row is right in its language, rows depend on their index alone, splits are disjoint, shares are as asked.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

std::vector<tenon::Row> rows(Options options, uint64_t begin, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, begin, n);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// Number words to values, and the words between them to signs, written out here a second time.
const std::map<std::string, int> kEnglish = {
    {"zero", 0},      {"one", 1},       {"two", 2},       {"three", 3},    {"four", 4},     {"five", 5},
    {"six", 6},       {"seven", 7},     {"eight", 8},     {"nine", 9},     {"ten", 10},     {"eleven", 11},
    {"twelve", 12},   {"thirteen", 13}, {"fourteen", 14}, {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17},
    {"eighteen", 18}, {"nineteen", 19}, {"twenty", 20}};
const std::map<std::string, int> kChinese = {
    {"零", 0},    {"一", 1},    {"二", 2},    {"三", 3},    {"四", 4},    {"五", 5},    {"六", 6},
    {"七", 7},    {"八", 8},    {"九", 9},    {"十", 10},   {"十一", 11}, {"十二", 12}, {"十三", 13},
    {"十四", 14}, {"十五", 15}, {"十六", 16}, {"十七", 17}, {"十八", 18}, {"十九", 19}, {"二十", 20}};

// Checks one step, "three plus four is seven"; returns its language.
std::string check_step(const std::vector<std::string>& step, int before, bool minus, int digit, int after) {
  const bool english = kEnglish.contains(step[0]);
  const auto& numbers = english ? kEnglish : kChinese;
  EXPECT_EQ(step.size(), 5u);
  EXPECT_EQ(numbers.at(step[0]), before);
  EXPECT_EQ(step[1], english ? (minus ? "minus" : "plus") : (minus ? "减" : "加"));
  EXPECT_EQ(numbers.at(step[2]), digit);
  EXPECT_EQ(step[3], english ? "is" : "得");
  EXPECT_EQ(numbers.at(step[4]), after);
  return english ? "en" : "zh";
}

// Checks a sum's row; returns the languages of its steps.
std::set<std::string> check_sum(const tenon::Row& row) {
  std::set<std::string> languages;
  const std::vector<std::string> asked = words(row.prompt), said = words(row.completion);
  EXPECT_EQ(asked[0], row.meta("lang"));
  EXPECT_EQ(asked[1], ":");
  EXPECT_EQ(asked.back(), "=");
  EXPECT_EQ(said[0], "<think>");
  EXPECT_EQ(said[said.size() - 2], "</think>");
  const bool steps = said.size() > 3;
  EXPECT_EQ(row.meta("steps"), steps ? "true" : "false");
  int value = std::stoi(asked[2]);
  size_t at = 1;
  for (size_t k = 3; k + 1 < asked.size(); k += 2) {
    const bool minus = asked[k] == "-";
    const int digit = std::stoi(asked[k + 1]), next = minus ? value - digit : value + digit;
    EXPECT_TRUE(next >= 0 && next <= 20) << row.prompt;
    if (steps) {
      languages.insert(check_step(
          {said.begin() + static_cast<ptrdiff_t>(at), said.begin() + static_cast<ptrdiff_t>(at) + 5}, value,
          minus, digit, next));
      at += 5;
      if (k + 3 < asked.size()) {
        EXPECT_EQ(said[at++], ";");
      }
    }
    value = next;
  }
  EXPECT_EQ(at + 2, said.size()) << row.completion;
  EXPECT_EQ(said.back(), std::to_string(value));
  EXPECT_EQ(row.meta("answer"), std::to_string(value));
  return languages;
}

TEST(NumberWords, EverySumIsRight) {
  size_t both = 0;
  for (const tenon::Row& row : rows({{"names", "0"}}, 0, 1000)) both += check_sum(row).size() == 2;
  EXPECT_GT(both, 300u) << "six steps of two languages are hardly ever in one";
}

TEST(NumberWords, UnmixedStepsAreInTheLanguageAskedFor) {
  for (const tenon::Row& row : rows({{"names", "0"}, {"mixed", "false"}, {"step_by_step", "1"}}, 0, 300))
    EXPECT_EQ(check_sum(row), (std::set<std::string>{*row.meta("lang")}));
  for (const tenon::Row& row :
       rows({{"names", "0"}, {"languages", "[\"zh\"]"}, {"step_by_step", "1"}}, 0, 50))
    EXPECT_EQ(check_sum(row), (std::set<std::string>{"zh"}));
}

TEST(NumberWords, NamesAreRight) {
  size_t closed = 0;
  const auto all = rows({{"names", "1"}, {"closing", "0.5"}}, 0, 1000);
  for (const tenon::Row& row : all) {
    const std::vector<std::string> asked = words(row.prompt), said = words(row.completion);
    ASSERT_EQ(asked.size(), 5u);
    EXPECT_EQ(asked[2], "name");
    const auto& numbers = asked[0] == "en" ? kEnglish : kChinese;
    EXPECT_EQ(numbers.at(said.at(2)), std::stoi(asked[3]));
    EXPECT_EQ(row.meta("answer"), said[2]);
    EXPECT_EQ(row.meta("source"), "name");
    EXPECT_EQ(row.meta("closed"), said.size() == 4 ? "true" : "false");
    if (said.size() == 4) {
      EXPECT_EQ(said[3], "done");
      ++closed;
    }
  }
  EXPECT_NEAR(static_cast<double>(closed), 500, 4 * std::sqrt(250.0));
}

TEST(NumberWords, OfAPairTheOtherIsWorse) {
  size_t wrong = 0;
  const auto all = rows({{"names", "1"}, {"pairs", "true"}}, 0, 1000);
  for (const tenon::Row& row : all) {
    const std::vector<std::string> better = words(row.completion), worse = words(*row.meta("rejected"));
    ASSERT_EQ(better.size(), 4u);
    EXPECT_EQ(better[3], "done");
    if (worse.size() == 3) {
      EXPECT_EQ(worse[2], better[2]);
      continue;
    }
    ++wrong;
    EXPECT_NE(worse.at(2), better[2]);
    EXPECT_EQ(worse.at(3), "done");
    EXPECT_TRUE(kEnglish.contains(worse[2]) == kEnglish.contains(better[2]));
  }
  EXPECT_NEAR(static_cast<double>(wrong), 500, 4 * std::sqrt(250.0));
}

TEST(NumberWords, SharesAreAsAsked) {
  std::map<std::string, double> n;
  for (const tenon::Row& row : rows({}, 0, 20000)) {
    n[*row.meta("source")] += 1;
    n["steps"] += row.meta("steps") == "true";
    n[*row.meta("lang")] += 1;
  }
  EXPECT_NEAR(n["name"], 2000, 4 * std::sqrt(1800.0));
  EXPECT_NEAR(n["steps"], 0.4 * n["sum"], 4 * std::sqrt(0.24 * n["sum"]));
  EXPECT_NEAR(n["en"], 10000, 4 * std::sqrt(5000.0));
}

TEST(NumberWords, ARowDependsOnItsIndexAndSeedAlone) {
  const auto all = rows({}, 0, 50), one = rows({}, 37, 1);
  EXPECT_EQ(one[0].prompt, all[37].prompt);
  EXPECT_EQ(one[0].completion, all[37].completion);
  EXPECT_NE(rows({{"seed", "1"}}, 37, 1)[0].prompt, one[0].prompt);
}

TEST(NumberWords, SplitsShareNoSumInEitherLanguage) {
  std::set<std::string> train, test;
  auto sum = [](const tenon::Row& row) { return row.prompt.substr(row.prompt.find(':')); };
  const Options few{{"operands", "3"}, {"names", "0"}};
  for (const auto& row : rows(few, 0, 5000)) train.insert(sum(row));
  Options held_out = few;
  held_out["split"] = "\"test\"";
  for (const auto& row : rows(held_out, 0, 5000)) test.insert(sum(row));
  EXPECT_GT(train.size(), 1000u);
  EXPECT_GT(test.size(), 100u);
  for (const auto& one : test) EXPECT_EQ(train.count(one), 0u) << one;
}

TEST(NumberWords, HasAsManyRowsAsAsked) {
  auto count = [](Options options) {
    tenon::testing::Instance<tenon_dataset_vt> data(
        tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
    return tenon::Dataset(data.ref()).count();
  };
  EXPECT_EQ(count({}), TENON_COUNT_UNBOUNDED);
  EXPECT_EQ(count({{"rows", "200"}}), 200u);
}

TEST(NumberWords, OptionsThatCannotBeAreNamed) {
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  using testing::ElementsAre;
  using testing::HasSubstr;
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"languages", "[\"en\", \"fr\"]"}}),
              ElementsAre(HasSubstr("languages.1: \"fr\"")));
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"languages", "[]"}}),
              ElementsAre(HasSubstr("one at least")));
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"names", "1"}, {"operands", "3"}}),
              ElementsAre(HasSubstr("operands")));
}

}  // namespace
