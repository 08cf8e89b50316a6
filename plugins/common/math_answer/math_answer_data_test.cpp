// Properties over published gold answers, where TENON_DATA names the folder that holds them: each is equal to itself and to rewritings that keep
// its value, in both orders, and different from ones that change it; no malformed text is harmful; model answers are judged as their authors did.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

// The rows of a JSON Lines file below TENON_DATA; none if it is not there.
std::vector<boost::json::object> rows_of(const std::string& file) {
  const char* folder = std::getenv("TENON_DATA");
  std::vector<boost::json::object> rows;
  if (folder == nullptr) return rows;
  std::ifstream in(std::string(folder) + "/" + file);
  for (std::string line; std::getline(in, line);) rows.push_back(boost::json::parse(line).as_object());
  return rows;
}
std::vector<std::string> golds() {
  std::set<std::string> all;
  for (const char* file : {"math_answers/test.jsonl", "math_answers/train.jsonl"})
    for (const auto& row : rows_of(file))
      if (row.at("answer").is_string()) all.emplace(row.at("answer").as_string());
  return {all.begin(), all.end()};
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TEST(MathAnswerData, GoldsEqualThemselvesAndTheirRewritings) {
  const std::vector<std::string> all = golds();
  if (all.empty()) GTEST_SKIP() << "TENON_DATA names no folder with math_answers/";
  const Policies policies;
  size_t pairs = 0, right = 0, unread = 0;
  for (const std::string& text : all) {
    const Gold gold(text, policies);
    if (gold.parsed().verdict != Verdict::kEqual) {
      ++unread;
      continue;
    }
    for (const std::string& other :
         {text, "$" + text + "$", "\\boxed{" + text + "}", replaced(text, "\\frac", "\\dfrac"),
          replaced(replaced(text, "\\dfrac", "\\frac"), "\\tfrac", "\\frac"), replaced(text, "-", "−"),
          replaced(text, "\\infty", "∞"), replaced(text, "\\cup", "∪"), replaced(text, "^\\circ", "°"),
          replaced(text, "pmatrix", "bmatrix"), replaced(replaced(text, "\\left", ""), "\\right", "")}) {
      ++pairs;
      const bool equal = compare(gold, other, policies).verdict == Verdict::kEqual;
      right += equal ? 1 : 0;
      if (!equal) ADD_FAILURE() << text << "   " << other;
      EXPECT_EQ(compare(Gold(other, policies), text, policies).verdict == Verdict::kEqual, equal)
          << "the other way round: " << text << "   " << other;
    }
  }
  EXPECT_LE(unread, all.size() / 1000);
  EXPECT_EQ(right, pairs);
}

TEST(MathAnswerData, ChangedGoldsAreDifferent) {
  const std::vector<std::string> all = golds();
  if (all.empty()) GTEST_SKIP() << "TENON_DATA names no folder with math_answers/";
  const Policies policies;
  size_t pairs = 0;
  for (const std::string& text : all) {
    const Gold gold(text, policies);
    // A digit in the place of another, not where a leading zero or a fraction's zero would make another text of the same value.
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] < '1' || text[i] > '8' || text.find_first_of("ABCDEFGHIJ=") != std::string::npos ||
          text.find("text") != std::string::npos || text.find("mbox") != std::string::npos)
        continue;
      std::string other = text;
      other[i] = static_cast<char>(text[i] + 1);
      ++pairs;
      EXPECT_NE(compare(gold, other, policies).verdict, Verdict::kEqual) << text << "   " << other;
      break;
    }
    if (text.find(" + ") != std::string::npos && text.find("\\pm") == std::string::npos) {
      std::string other = text;
      other.replace(other.find(" + "), 3, " - ");
      ++pairs;
      EXPECT_NE(compare(gold, other, policies).verdict, Verdict::kEqual) << text << "   " << other;
    }
  }
  EXPECT_GT(pairs, 1000u);
}

TEST(MathAnswerData, SymmetricWhereBothAreExact) {
  const std::vector<std::string> all = golds();
  if (all.empty()) GTEST_SKIP() << "TENON_DATA names no folder with math_answers/";
  const Policies policies;
  for (size_t i = 0; i + 7 < all.size(); ++i)
    for (size_t step : {1u, 7u}) {
      const std::string &a = all[i], &b = all[i + step];
      if (a.find('.') != std::string::npos || b.find('.') != std::string::npos) continue;
      const Gold first(a, policies), second(b, policies);
      if (first.parsed().verdict != Verdict::kEqual || second.parsed().verdict != Verdict::kEqual) continue;
      EXPECT_EQ(compare(first, b, policies).verdict, compare(second, a, policies).verdict) << a << "   " << b;
    }
}

TEST(MathAnswerData, OlympiadGoldsAndMalformedTexts) {
  const auto olympiad = rows_of("olympiadbench/oe_to_maths_en.jsonl"),
             malformed = rows_of("latex_malformed/malformed.jsonl");
  if (olympiad.empty() || malformed.empty())
    GTEST_SKIP() << "TENON_DATA names no folder with olympiadbench/ and latex_malformed/";
  const Policies policies;
  size_t read = 0, all = 0;
  for (const auto& row : olympiad)
    for (const auto& answer : row.at("final_answer").as_array()) {
      const std::string text(answer.as_string());
      ++all;
      read += compare(Gold(text, policies), text, policies).verdict == Verdict::kEqual ? 1 : 0;
    }
  EXPECT_GE(read * 1000, all * 995);
  for (const auto& row : malformed) {
    const std::string text(row.at("latex").as_string());
    EXPECT_NE(compare(Gold("5", policies), text, policies).verdict, Verdict::kEqual) << text;
    EXPECT_NE(compare(Gold(text, policies), "5", policies).verdict, Verdict::kEqual) << text;
  }
}

TEST(MathAnswerData, ModelSolutionsAreJudgedAsPublished) {
  const auto rows = rows_of("gsm8k/model_solutions.jsonl");
  if (rows.empty()) GTEST_SKIP() << "TENON_DATA names no folder with gsm8k/";
  const Policies policies;
  size_t agree = 0;
  for (const auto& row : rows) {
    const Gold gold(row.at("gold").as_string(), policies);
    agree += (judge(gold, row.at("completion").as_string(), policies).verdict == Verdict::kEqual) ==
                     row.at("is_correct").as_bool()
                 ? 1
                 : 0;
  }
  EXPECT_GE(agree * 1000, rows.size() * 995);
}

}  // namespace
