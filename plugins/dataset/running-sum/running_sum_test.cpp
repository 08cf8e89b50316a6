// Tests of the data set running-sum: every row is right, rows depend on their index alone, splits are
// disjoint, shares are as asked.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

std::vector<tenon::Row> rows(std::map<std::string, std::string> options, uint64_t begin, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, begin, n);
}

// Evaluates "3+4-2" from the left; fails the test where a running value is negative or an operand has not one
// digit.
int evaluate(const std::string& sum, size_t operands) {
  std::istringstream in("+" + sum);
  int value = 0;
  size_t n = 0;
  for (char sign, digit; in >> sign >> digit; ++n) {
    EXPECT_TRUE(sign == '+' || sign == '-') << sum;
    EXPECT_TRUE(digit >= '0' && digit <= '9') << sum;
    value += (sign == '+' ? 1 : -1) * (digit - '0');
    EXPECT_GE(value, 0) << sum;
  }
  EXPECT_EQ(n, operands) << sum;
  return value;
}

TEST(RunningSum, EveryRowIsRight) {
  for (const tenon::Row& row : rows({}, 0, 2000)) {
    ASSERT_EQ(row.prompt.back(), '=');
    std::string sum = row.prompt.substr(0, row.prompt.size() - 1);
    std::string answer = std::to_string(evaluate(sum, 7));
    EXPECT_EQ(row.meta("answer"), answer);
    size_t close = row.completion.find('>');
    ASSERT_EQ(row.completion.front(), '<');
    EXPECT_EQ(row.completion.substr(close + 1), answer);
    std::string work = row.completion.substr(1, close - 1);
    EXPECT_EQ(row.meta("steps"), work.empty() ? "false" : "true");
    if (work.empty()) continue;
    // The steps chain: each begins with the value before, uses the sum's next term, and is true.
    std::string value = sum.substr(0, 1);
    std::istringstream steps(work);
    size_t term = 1;
    for (std::string step; std::getline(steps, step, ','); term += 2) {
      std::string left = value + sum.substr(term, 2);
      ASSERT_EQ(step.substr(0, left.size() + 1), left + "=") << row.completion;
      int d = sum[term + 1] - '0';
      std::string next = std::to_string(std::stoi(value) + (sum[term] == '+' ? d : -d));
      ASSERT_EQ(step.substr(left.size() + 1), next) << row.completion;
      value = next;
    }
    EXPECT_EQ(term, sum.size());
  }
}

TEST(RunningSum, ARowDependsOnItsIndexAndSeedAlone) {
  auto all = rows({}, 0, 50);
  auto one = rows({}, 37, 1);
  EXPECT_EQ(one[0].prompt, all[37].prompt);
  EXPECT_EQ(one[0].completion, all[37].completion);
  EXPECT_NE(rows({{"seed", "1"}}, 37, 1)[0].prompt, one[0].prompt);
}

TEST(RunningSum, SplitsShareNoProblem) {
  // With three operands there are few problems, so that both parts meet most of them.
  std::set<std::string> train, test;
  for (const auto& row : rows({{"operands", "3"}}, 0, 5000)) train.insert(row.prompt);
  for (const auto& row : rows({{"operands", "3"}, {"split", "\"test\""}}, 0, 5000)) test.insert(row.prompt);
  EXPECT_GT(train.size(), 1000u);
  EXPECT_GT(test.size(), 100u);
  for (const auto& prompt : test) EXPECT_EQ(train.count(prompt), 0u) << prompt;
}

TEST(RunningSum, ShareAndLengthOfStepByStepRows) {
  auto all = rows({}, 0, 20000);
  double steps = 0, characters = 0;
  for (const auto& row : all) {
    if (row.meta("steps") != "true") continue;
    steps += 1;
    characters += static_cast<double>(row.completion.size());
  }
  EXPECT_NEAR(steps / 20000, 0.4, 4 * std::sqrt(0.4 * 0.6 / 20000));
  EXPECT_NEAR(characters / steps, 44.3, 0.3)
      << "the length that a model which always works step by step will have, less its end token";
  for (const auto& row : rows({{"step_by_step", "0"}}, 0, 200)) EXPECT_EQ(row.meta("steps"), "false");
  for (const auto& row : rows({{"step_by_step", "1"}}, 0, 200)) EXPECT_EQ(row.meta("steps"), "true");
}

TEST(RunningSum, IsUnbounded) {
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)));
  EXPECT_EQ(data.vt->count(data.self), TENON_COUNT_UNBOUNDED);
  EXPECT_EQ(tenon::Dataset(data.ref()).read(nullptr, uint64_t{1} << 60, 1).size(), 1u);
}

}  // namespace
