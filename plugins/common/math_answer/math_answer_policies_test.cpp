// Every named policy in each of its settings: a pair of answers, or an answer in a text, that the setting decides.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

struct Row {
  const char *policy, *setting;
  bool equal;
  const char *gold, *answer;
  bool bare = true;
};

const std::vector<Row> kRows = {
    {"region", "after-think", false, "5", "<think>\\boxed{5}</think> \\boxed{6}", false},
    {"region", "after-think", false, "5", "<think>\\boxed{5}", false},
    {"region", "whole", true, "5", "<think>\\boxed{5}", false},
    {"end_tokens", "true", true, "5", "\\boxed{5}<|im_end|>\\boxed{6}", false},
    {"end_tokens", "false", false, "5", "\\boxed{5}<|im_end|>\\boxed{6}", false},
    {"extract", "boxed", true, "5", "so \\boxed{5}", false},
    {"extract", "boxed", false, "5", "the answer is 5", false},
    {"extract", "phrase", true, "5", "the answer is 5", false},
    {"extract", "phrase", false, "5", "so $5$", false},
    {"extract", "span", true, "5", "so $5$", false},
    {"extract", "span", false, "5", "that makes 5", false},
    {"extract", "number", true, "5", "that makes 5", false},
    {"boxes", "join", true, "1,2", "\\boxed{1} and \\boxed{2}", false},
    {"boxes", "last", false, "1,2", "\\boxed{1} and \\boxed{2}", false},
    {"decimal_digits", "4", true, "\\frac{2}{3}", "0.6667"},
    {"decimal_digits", "4", false, "\\frac{2}{3}", "0.667"},
    {"decimal_digits", "3", true, "\\frac{2}{3}", "0.667"},
    {"decimal_digits", "0", false, "\\frac{2}{3}", "0.666666666666667"},
    {"gold_decimal", "rounded", true, "33.3", "\\frac{100}{3}"},
    {"gold_decimal", "exact", false, "33.3", "\\frac{100}{3}"},
    {"tolerance", "0", false, "5", "5.01"},
    {"tolerance", "0.02", true, "5", "5.01"},
    {"tolerance", "0.02", false, "5", "5.03"},
    {"percent", "either", true, "50\\%", "0.5"},
    {"percent", "either", true, "50\\%", "50"},
    {"percent", "fraction", true, "50\\%", "0.5"},
    {"percent", "fraction", false, "50\\%", "50"},
    {"percent", "number", false, "50\\%", "0.5"},
    {"percent", "number", true, "50\\%", "50"},
    {"units", "optional", true, "8\\text{ cm}", "8"},
    {"units", "optional", false, "8\\text{ cm}", "8\\text{ km}"},
    {"units", "ignore", true, "8\\text{ cm}", "8\\text{ km}"},
    {"units", "required", false, "8\\text{ cm}", "8"},
    {"units", "required", true, "8\\text{ cm}", "80\\text{ mm}"},
    {"degrees", "either", true, "30^\\circ", "30"},
    {"degrees", "either", true, "30^\\circ", "\\frac{\\pi}{6}"},
    {"degrees", "radians", false, "30^\\circ", "30"},
    {"degrees", "radians", true, "30^\\circ", "\\frac{\\pi}{6}"},
    {"list_order", "ignore", true, "1,2", "2,1"},
    {"list_order", "keep", false, "1,2", "2,1"},
    {"tuple_as_set", "false", false, "\\{1,2\\}", "(1,2)"},
    {"tuple_as_set", "true", true, "\\{1,2\\}", "(1,2)"},
    {"tuple_brackets", "true", true, "(1,2)", "1,2"},
    {"tuple_brackets", "false", false, "(1,2)", "1,2"},
    {"vector_as_tuple", "true", true, "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)"},
    {"vector_as_tuple", "false", false, "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)"},
    {"set_repeats", "true", true, "\\{1,2\\}", "\\{1,1,2\\}"},
    {"set_repeats", "false", false, "\\{1,2\\}", "\\{1,1,2\\}"},
    {"relation_as_set", "true", true, "(1,2]", "1<x\\le2"},
    {"relation_as_set", "false", false, "(1,2]", "1<x\\le2"},
    {"assignment", "true", true, "5", "x=5"},
    {"assignment", "false", false, "5", "x=5"},
    {"function_names", "true", true, "2x", "f(x)=2x"},
    {"function_names", "false", false, "2x", "f(x)=2x"},
    {"chain", "last", true, "5", "x=2+3=5"},
    {"chain", "whole", false, "5", "x=2+3=5"},
    {"decimal_comma", "answer", true, "3.14", "3,14"},
    {"decimal_comma", "answer", false, "3,14", "3.14"},
    {"decimal_comma", "either", true, "3,14", "3.14"},
    {"decimal_comma", "never", false, "3.14", "3,14"},
    {"thousands_space", "true", true, "12345", "12 345"},
    {"thousands_space", "false", false, "12345", "12 345"},
    {"worked_out", "false", true, "12", "8+4"},
    {"worked_out", "true", false, "12", "8+4"},
    {"worked_out", "true", false, "12", "\\boxed{8+4}"},
    {"worked_out", "true", true, "12", "8+4=12"},
    {"worked_out", "true", false, "12", "x=8+4"},
    {"worked_out", "true", false, "\\frac{13}{20}", "7/20+6/20"},
    {"worked_out", "true", false, "3/4", "3 \\times 1/4"},
    {"worked_out", "true", true, "3/4", "6/8"},
    {"worked_out", "true", true, "-\\frac{5}{2}", "-2 1/2"},
    {"worked_out", "true", true, "1200", "1.2\\times 10^3"},
    {"worked_out", "true", false, "8", "2^3"},
    {"worked_out", "true", false, "50\\%", "1/4+1/4"},
    {"worked_out", "true", true, "2\\sqrt{2}", "\\sqrt{8}"},
    {"worked_out", "true", false, "1,12", "1,8+4"},
    {"mixed_numbers", "true", true, "\\frac{5}{2}", "2 1/2"},
    {"mixed_numbers", "false", false, "\\frac{5}{2}", "2 1/2"},
    {"number_words", "true", true, "4", "four"},
    {"number_words", "false", false, "4", "four"},
    {"times", "true", true, "\\text{4:30 p.m.}", "4:30"},
    {"times", "false", false, "\\text{4:30 p.m.}", "4:30"},
    {"choice_text", "true", true, "B", "(B) 12"},
    {"choice_text", "false", false, "B", "(B) 12"},
    {"base_required", "true", false, "52_8", "52"},
    {"base_required", "false", true, "52_8", "52"},
    {"log_base", "e", true, "\\log x", "\\ln x"},
    {"log_base", "10", false, "\\log x", "\\ln x"},
    {"log_base", "10", true, "\\log 1000", "3"},
    {"text_case", "false", true, "\\text{Monday}", "monday"},
    {"text_case", "true", false, "\\text{Monday}", "monday"},
};

TEST(MathAnswerPolicies, EachSettingDecides) {
  for (const Row& row : kRows) {
    Policies policies;
    ASSERT_TRUE(set_policy(policies, row.policy, row.setting)) << row.policy << ": " << row.setting;
    const Gold gold(row.gold, policies);
    const Result r = row.bare ? compare(gold, row.answer, policies) : judge(gold, row.answer, policies);
    EXPECT_EQ(r.verdict == Verdict::kEqual, row.equal)
        << row.policy << ": " << row.setting << "   " << row.gold << "   " << row.answer << "   " << r.reason;
  }
}

// The reason says what is wrong: an equation that is true is not false for being written the wrong way round.
TEST(MathAnswerPolicies, WhatIsNotWorkedOutIsNotFalse) {
  Policies policies;
  ASSERT_TRUE(set_policy(policies, "worked_out", "true"));
  const std::pair<const char*, const char*> values[] = {
      {"12", "8+4"}, {"-6", "2\\cdot(-3)"}, {"\\frac{1}{2}", "\\frac{1}{4}+\\frac{1}{4}"}, {"8", "2^3"}};
  for (const auto& [number, formula] : values) {
    const Gold gold(number, policies);
    const std::string last = std::string(formula) + "=" + number, first = std::string(number) + "=" + formula;
    EXPECT_EQ(compare(gold, last, policies).verdict, Verdict::kEqual) << last;
    for (const std::string& answer : {first, "x=" + first}) {
      const Result r = compare(gold, answer, policies);
      EXPECT_EQ(r.verdict, Verdict::kDifferent) << answer;
      EXPECT_EQ(r.reason, "not worked out") << answer;
    }
    EXPECT_NE(compare(gold, first + "+1", policies).reason, "not worked out") << first;
  }
}

// A row for each setting of each policy; of numbers for the default and another.
TEST(MathAnswerPolicies, AllAreTried) {
  std::set<std::string> tried;
  for (const Row& row : kRows) tried.insert(std::string(row.policy) + " " + row.setting);
  auto expect = [&](std::string policy, std::vector<std::string> settings) {
    for (const std::string& setting : settings)
      EXPECT_EQ(tried.count(policy + " " + setting), 1u) << policy << " " << setting;
  };
#define MATH_BOOL(field, fallback, doc) expect(#field, {"true", "false"});
#define MATH_INT(field, fallback, min, max, doc) expect(#field, {#fallback, #min});
#define MATH_NUMBER(field, fallback, doc) expect(#field, {#fallback});
#define MATH_CHOICE(field, fallback, doc, ...) expect(#field, {__VA_ARGS__});
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE
}

// The defaults are what the table of options prints.
TEST(MathAnswerPolicies, ADefaultIsASetting) {
  Policies policies, defaults;
#define MATH_BOOL(field, fallback, doc)                 \
  EXPECT_TRUE(set_policy(policies, #field, #fallback)); \
  EXPECT_EQ(policies.field, defaults.field);
#define MATH_INT(field, fallback, min, max, doc) MATH_BOOL(field, fallback, doc)
#define MATH_NUMBER(field, fallback, doc) MATH_BOOL(field, fallback, doc)
#define MATH_CHOICE(field, fallback, doc, ...) \
  EXPECT_LT(defaults.field, static_cast<int>(std::vector<const char*>{__VA_ARGS__}.size()));
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE
}

}  // namespace
