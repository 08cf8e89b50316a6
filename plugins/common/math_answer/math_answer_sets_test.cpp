// Tests of what may stand for a set of numbers: pairs, lists, the empty set, and answers that would equal golds that differ.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

Result bare(const std::string& gold, const std::string& answer) {
  return compare(Gold(gold, {}), answer, {});
}
void expect_equal(bool equal, const std::string& one, const std::string& other) {
  for (const auto& [gold, answer] : {std::pair(one, other), std::pair(other, one)}) {
    const Result r = bare(gold, answer);
    EXPECT_EQ(r.verdict == Verdict::kEqual, equal) << gold << "   " << answer << "   " << r.reason;
  }
}

// In ascending order, none equal to another.
const std::vector<std::string> kValues = {"-\\infty",  "-7", "-\\frac{1}{2}", "0", "\\frac{2}{3}",
                                          "\\sqrt{2}", "3",  "\\pi",          "4", "\\infty"};
const std::vector<std::string> kEmpty = {"none",
                                         "no solution",
                                         "There is no solution",
                                         "\\emptyset",
                                         "\\varnothing",
                                         "\\{\\}",
                                         "\\text{no real solutions}",
                                         "4<x<-7",
                                         "x>4 \\text{ and } x<-7",
                                         "(1,2)\\cap(3,4)"};
const std::pair<const char*, const char*> kBrackets[] = {
    {"(", ")"}, {"[", "]"}, {"(", "]"}, {"[", ")"}, {"\\left(", "\\right)"}};

TEST(MathAnswerSets, NoPairIsTheEmptySet) {
  for (const std::string& a : kValues)
    for (const std::string& b : kValues)
      for (const auto& [open, close] : kBrackets)
        for (const std::string& empty : kEmpty) expect_equal(false, open + a + "," + b + close, empty);
  for (const std::string& one : kEmpty) {
    if (one.find('x') == std::string::npos)  // relations are of their unknown
      for (const std::string& other : kEmpty)
        if (other.find("x") == std::string::npos) expect_equal(true, one, other);
    for (const char* value : {"0", "\\{0\\}", "\\{\\infty\\}", "x", "\\mathbb{R}", "(1,2,3)", "1,2"})
      expect_equal(false, one, value);
  }
}

TEST(MathAnswerSets, APairTheWrongWayRoundAddsNothingToAUnion) {
  for (size_t low = 1; low + 1 < kValues.size(); ++low)
    for (size_t high = low; high + 1 < kValues.size(); ++high) {
      const std::string backwards = "(" + kValues[high] + "," + kValues[low] + ")";
      expect_equal(false, "(10,12)", "(10,12)\\cup" + backwards);
      expect_equal(false, "(10,12)", backwards + "\\cup(10,12)");
      expect_equal(false, "4<x<-7", backwards + "\\cup" + backwards);
    }
}

TEST(MathAnswerSets, AnIntervalIsNoListAndAPointNoAlternatives) {
  for (size_t low = 1; low + 1 < kValues.size(); ++low)
    for (size_t high = low + 1; high + 1 < kValues.size(); ++high) {
      const std::string &a = kValues[low], &b = kValues[high];
      const std::string interval = "[" + a + "," + b + "]", point = "(" + a + "," + b + ")";
      for (const std::string& list : {a + "," + b, b + "," + a, a + " \\text{ and } " + b, a + " or " + b})
        expect_equal(false, interval, list);
      // Python's list, where it can be no interval.
      expect_equal(true, "[" + b + "," + a + "]", a + "," + b);
      for (const std::string& several :
           {a + " or " + b, "x=" + a + ", x=" + b, "x=" + a + " or x=" + b, "y=" + a + " and y=" + b})
        expect_equal(false, point, several);
      expect_equal(true, point, "x=" + a + ", y=" + b);
      expect_equal(true, point, a + "," + b);
      expect_equal(true, point, a + " < x < " + b);
      expect_equal(true, "\\{" + a + "," + b + "\\}", b + " or " + a);
      expect_equal(true, "x=" + a + ", x=" + b, b + " or " + a);
    }
  expect_equal(true, "[1+i,1-i]", "1-i,1+i");
  expect_equal(true, "[(1,2),(3,4)]", "(3,4),(1,2)");
  expect_equal(true, "[1,2,3]", "3,2,1");
}

// Golds of the exam and pairs of values: a sample that has most kinds of answers.
std::vector<std::string> golds() {
  std::set<std::string> all;
  std::ifstream in("testdata/exam.tsv");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    const size_t second = line.find('\t', line.find('\t') + 1);
    const size_t third = line.find('\t', second + 1);
    if (third != std::string::npos) all.insert(line.substr(second + 1, third - second - 1));
  }
  std::vector<std::string> sample;
  for (size_t i = 0; const std::string& gold : all)
    if (i++ % 3 == 0) sample.push_back(gold);
  for (const std::string& a : kValues)
    for (const std::string& b : kValues) {
      for (const auto& [open, close] : kBrackets) sample.push_back(open + a + "," + b + close);
      sample.push_back("\\{" + a + "," + b + "\\}");
      if ((a + b).find("infty") == std::string::npos) sample.push_back(a + "," + b);
    }
  return sample;
}

// What a policy might find that pays everywhere. A number may be two golds that differ by their units or their digits, and a list of numbers two
// points that differ by their order: neither is here.
TEST(MathAnswerSets, NoConstantAnswerEqualsTwoGoldsThatDiffer) {
  const std::vector<std::string> all = golds();
  ASSERT_GE(all.size(), 700u) << "testdata/exam.tsv is missing";
  std::vector<std::string> constants = kEmpty;
  for (const char* more : {"",
                           "?",
                           "...",
                           "\\ldots",
                           "\\square",
                           "{}",
                           "()",
                           "[]",
                           "(\\,)",
                           "x",
                           "f(x)",
                           "x=x",
                           "0=0",
                           "1=1",
                           "0/0",
                           "\\infty-\\infty",
                           "\\infty",
                           "\\text{infinity}",
                           "undefined",
                           "\\text{DNE}",
                           "infinitely many",
                           "any",
                           "all",
                           "all real numbers",
                           "\\mathbb{R}",
                           "(-\\infty,\\infty)",
                           "x\\in\\mathbb{R}",
                           "x>0",
                           "x\\ne 0",
                           "4<x<-7, 5<y<-7",
                           "5<y<-7",
                           "(5,2)",
                           "[5,2]",
                           "(3,3)",
                           "[3,3]",
                           "(5,3)\\cup(9,8)",
                           "(1,1)\\cup(2,2)",
                           "(a,b)",
                           "[a,b]",
                           "a<x<b",
                           "\\{x\\}",
                           "\\{x\\mid x\\}",
                           "\\{x\\mid x>4, x<3\\}",
                           "\\{\\infty\\}",
                           "x=\\infty",
                           "x<-\\infty",
                           "x \\text{ or } y",
                           "\\text{yes and no}",
                           "yes",
                           "true",
                           "A or B",
                           "(A)(B)(C)",
                           "A, B, C, D",
                           "A circle",
                           "\\sum_k k",
                           "\\int f",
                           "\\lim",
                           "\\frac{x}{x}",
                           "0^0",
                           "\\sqrt{x^2}",
                           "1,2,\\ldots,n",
                           "1+2+\\cdots+n",
                           "\\text{the answer}",
                           "answer",
                           "+C",
                           "=",
                           "%",
                           "cm",
                           "^\\circ"})
    constants.emplace_back(more);
  for (const std::string& constant : constants) {
    std::vector<std::string> paying;
    for (const std::string& gold : all)
      if (bare(gold, constant).verdict == Verdict::kEqual) paying.push_back(gold);
    for (size_t i = 1; i < paying.size(); ++i)
      EXPECT_TRUE(bare(paying[0], paying[i]).verdict == Verdict::kEqual ||
                  bare(paying[i], paying[0]).verdict == Verdict::kEqual)
          << constant << " is both " << paying[0] << " and " << paying[i];
  }
}

}  // namespace
