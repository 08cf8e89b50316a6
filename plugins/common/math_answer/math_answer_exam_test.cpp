// An exam of the library's own: pairs by category in testdata/exam.tsv, each with what any mathematician says of it, or the default policy.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

struct Row {
  std::string category, gold, answer;
  bool same = false, bare = false;
};

std::vector<Row> exam() {
  std::vector<Row> rows;
  std::ifstream in("testdata/exam.tsv");
  std::string category;
  const std::string heading = "# category: ";
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(heading)) category = line.substr(heading.size());
    if (line.starts_with('#')) continue;
    std::vector<std::string> cells(1);
    for (char c : line) {
      if (c == '\t')
        cells.emplace_back();
      else
        cells.back() += c;
    }
    EXPECT_EQ(cells.size(), 4u) << line;
    if (cells.size() != 4) continue;
    Row row{category, cells[2], cells[3], cells[0] == "same", cells[1] == "bare"};
    if (!row.bare)  // \n is a line break there
      for (size_t at = row.answer.find("\\n"); at != std::string::npos; at = row.answer.find("\\n", at + 1))
        if (at + 2 == row.answer.size() || row.answer[at + 2] < 'a' || row.answer[at + 2] > 'z')
          row.answer.replace(at, 2, "\n");
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(MathAnswerExam, NoWrongAnswerPassesAndFewRightOnesFail) {
  const std::vector<Row> rows = exam();
  ASSERT_GE(rows.size(), 400u) << "testdata/exam.tsv is missing";
  const Policies policies;
  size_t right = 0;
  for (size_t i = 0; i < rows.size();) {
    size_t from = i, held = 0;
    for (; i < rows.size() && rows[i].category == rows[from].category; ++i) {
      const Row& row = rows[i];
      const Gold gold(row.gold, policies);
      const Result r = row.bare ? compare(gold, row.answer, policies) : judge(gold, row.answer, policies);
      const bool equal = r.verdict == Verdict::kEqual;
      held += equal == row.same ? 1 : 0;
      EXPECT_FALSE(equal && !row.same) << "passes: " << row.gold << "   " << row.answer << "   " << r.reason;
      if (!equal && row.same)
        std::printf("fails: %s   %s   (%s: %s)\n", row.gold.c_str(), row.answer.c_str(),
                    verdict_name(r.verdict), r.reason.c_str());
    }
    std::printf("%-26s %3zu of %3zu\n", rows[from].category.c_str(), held, i - from);
    right += held;
  }
  std::printf("%-26s %3zu of %3zu\n", "all", right, rows.size());
  EXPECT_GE(right * 100, rows.size() * 97);
}

// A test of the property on the pairs as they are, right or wrong: which of the two is the gold matters to rules that say so alone.
TEST(MathAnswerExam, SymmetricWhereNoRuleAsksForTheGold) {
  const std::vector<Row> rows = exam();
  const Policies policies;
  size_t compared = 0;
  auto is_decided = [](const Result& r) {
    return r.verdict == Verdict::kEqual || r.verdict == Verdict::kDifferent;
  };
  for (const Row& row : rows) {
    if (!row.bare) continue;
    const Result r = compare(Gold(row.gold, policies), row.answer, policies),
                 reversed = compare(Gold(row.answer, policies), row.gold, policies);
    if (r.by_role || reversed.by_role || !is_decided(r) || !is_decided(reversed)) continue;
    ++compared;
    EXPECT_EQ(r.verdict, reversed.verdict)
        << row.gold << "   " << row.answer << "   " << r.reason << "   " << reversed.reason;
  }
  EXPECT_GT(compared * 10, rows.size() * 7) << "most rules do not ask";
}

}  // namespace
