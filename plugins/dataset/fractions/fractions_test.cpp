// Tests of the data set fractions: answers are right and in lowest terms, completions equal them in another form, and splits are disjoint.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>
#include <set>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

std::vector<tenon::Row> rows(Options options = {}) {
  tenon::testing::Instance<tenon_dataset_vt> plugin(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  const tenon::Dataset data(plugin.ref());
  return data.read(nullptr, 0, data.count());
}

struct Fraction {
  long over = 0, under = 1;
};

Fraction fraction(const std::string& text) {
  Fraction f;
  EXPECT_GE(std::sscanf(text.c_str(), "%ld/%ld", &f.over, &f.under), 1) << text;
  return f;
}

// The value of "a/d + b/d", "a/d - b/d" or "m × a/d".
Fraction worked_out(const std::string& problem) {
  if (const size_t times = problem.find(" × "); times != std::string::npos) {
    Fraction f = fraction(problem.substr(times + std::string(" × ").size()));
    f.over *= fraction(problem).over;
    return f;
  }
  const size_t sign = problem.find_first_of("+-");
  const Fraction a = fraction(problem), b = fraction(problem.substr(sign + 2));
  const long right = problem[sign] == '+' ? b.over : -b.over;
  return {a.over * b.under + right * a.under, a.under * b.under};
}

TEST(Fractions, EveryAnswerIsRightAndInLowestTerms) {
  int shortened = 0;
  for (const tenon::Row& row : rows()) {
    const std::string problem = *row.meta("problem"), answer = *row.meta("answer");
    const Fraction expected = worked_out(problem), found = fraction(answer);
    EXPECT_EQ(expected.over * found.under, found.over * expected.under) << problem << " = " << answer;
    EXPECT_GT(found.over, 0) << problem;
    EXPECT_EQ(std::gcd(found.over, found.under), 1) << problem << " = " << answer;
    EXPECT_EQ(answer.ends_with("/1"), false) << answer;

    ASSERT_TRUE(row.completion.starts_with(" \\boxed{") && row.completion.ends_with("}")) << row.completion;
    const Fraction worked = fraction(row.completion.substr(std::string(" \\boxed{").size()));
    EXPECT_EQ(worked.over * found.under, found.over * worked.under) << problem << row.completion;
    shortened += worked.over != found.over ? 1 : 0;
    EXPECT_EQ(row.prompt, "What is " + problem + "?");
  }
  EXPECT_GT(shortened, 1000);
}

TEST(Fractions, SplitsShareNoProblemAndEachIsThereOnce) {
  std::set<std::string> train, test;
  const auto all_train = rows(), all_test = rows({{"split", "\"test\""}});
  for (const tenon::Row& row : all_train) train.insert(*row.meta("problem"));
  for (const tenon::Row& row : all_test) test.insert(*row.meta("problem"));
  EXPECT_EQ(train.size(), all_train.size());
  EXPECT_EQ(test.size(), all_test.size());
  EXPECT_GT(test.size(), 400u);
  for (const std::string& problem : test) EXPECT_EQ(train.count(problem), 0u) << problem;
}

TEST(Fractions, ASeedIsAnOrder) {
  const auto one = rows({{"seed", "1"}}), again = rows({{"seed", "1"}}), other = rows({{"seed", "2"}});
  ASSERT_EQ(one.size(), other.size());
  EXPECT_EQ(one[0].prompt, again[0].prompt);
  size_t same = 0;
  for (size_t i = 0; i < one.size(); ++i) same += one[i].prompt == other[i].prompt ? 1 : 0;
  EXPECT_LT(same, one.size() / 100);
}

TEST(Fractions, TemplateAndChat) {
  const tenon::Row row = rows({{"max_denominator", "4"},
                               {"template", "\"{problem} = ?\""},
                               {"completion", "\"{value}\""},
                               {"as", "\"messages\""}})[0];
  EXPECT_EQ(row.messages_json, R"([{"role":"user","content":")" + *row.meta("problem") + R"( = ?"}])");
  EXPECT_NE(row.completion.find('/'), std::string::npos);
  EXPECT_THROW(rows({{"template", "\"{question}\""}}), tenon::Error);
}

}  // namespace
