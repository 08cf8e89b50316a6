// Tests of math answers: what is equal, what is not, where the answer is, and what hostile texts cost.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/math_answer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "math_answer/math_answer.h"

namespace {

using namespace tenon::math_answer;

Result bare(std::string_view gold, std::string_view answer, const Policies& policies = {}) {
  return compare(Gold(gold, policies), answer, policies, true);
}
std::string told(const Result& r) {
  std::string all = std::string(verdict_name(r.verdict)) + ": " + r.reason;
  for (const auto& step : r.path) all += " | " + step;
  return all;
}

struct Pair {
  const char *gold, *answer;
};
void expect_all(Verdict verdict, const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) {
    const Result r = bare(pair.gold, pair.answer);
    EXPECT_EQ(r.verdict, verdict) << pair.gold << "   " << pair.answer << "   " << told(r);
  }
}

#include "math_answer/pairs.inc"

TEST(MathAnswer, TheSameAnswer) {
  expect_all(Verdict::kEqual, kSame);
}
TEST(MathAnswer, AnotherAnswer) {
  expect_all(Verdict::kDifferent, kOther);
}

TEST(MathAnswer, WhatCannotBeReadIsNoAnswer) {
  for (const char* text : {"", "(", "\\frac{1}", "\\sqrt{}", "1 +", "x^", "{1", "[1,2,3)", "\\notacommand{3}",
                           "3 4", "\\frac{(2 + x}{1 - x)}"}) {
    const Result r = bare("5", text);
    EXPECT_EQ(r.verdict, Verdict::kUnparsedPrediction) << text << "   " << told(r);
    EXPECT_EQ(bare(text, "5").verdict, Verdict::kUnparsedGold) << text;
  }
}

TEST(MathAnswer, RowsOfAMatrix) {
  for (const char* text : {"\\begin{pmatrix}1&2&\\end{pmatrix}^T", "\\begin{pmatrix}1&\\end{pmatrix}",
                           "\\begin{pmatrix}1&2\\\\3&\\end{pmatrix}", "\\begin{pmatrix}&1\\end{pmatrix}"}) {
    EXPECT_EQ(bare("\\begin{pmatrix}1&2\\end{pmatrix}", text).verdict, Verdict::kUnparsedPrediction) << text;
    EXPECT_EQ(bare("(1,2)", text).verdict, Verdict::kUnparsedPrediction) << text;
  }
}

// What stands beside a number is its unit, or the answer is not that number.
TEST(MathAnswer, WordsThatAreNoUnitDoNotPass) {
  for (const char* words :
       {"(wrong)", "wrong",     "(not)",    "apples not", "= 13",         "13",      "?",
        "(maybe)", "incorrect", "probably", "or 13",      "apples or so", "; 13",    "+ 1",
        "(or 13)", "I guess",   "!",        "is wrong",   "is not it",    "= wrong", "is probably right"})
    for (const char* value : {"12", "x^2", "\\frac{1}{2}"}) {
      const std::string answer = std::string(value) + "\\text{ " + words + "}";
      EXPECT_NE(bare(value, answer).verdict, Verdict::kEqual) << answer;
      EXPECT_NE(bare(answer, value).verdict, Verdict::kEqual) << answer;
    }
  for (const char* answer :
       {"12 (wrong)", "12 (incorrect)", "12 wrong", "12 probably", "12 (see that it is not)"})
    EXPECT_NE(bare("12", answer).verdict, Verdict::kEqual) << answer;
  for (const char* answer : {"12\\text{ (cm)}", "12 (twelve)", "12\\text{ cm}^2", "12\\text{ cm/s}",
                             "12\\text{ right-angled triangles}", "12\\text{ sq. units}",
                             "12\\text{ people's votes}", "12\\text{ m2}", "12 apples"})
    EXPECT_EQ(bare("12", answer).verdict, Verdict::kEqual) << answer;
  EXPECT_EQ(bare("50\\%", "50\\text{%}").verdict, Verdict::kEqual);
  EXPECT_EQ(bare("50\\%", "50\\text{ \\%}").verdict, Verdict::kEqual);
}

TEST(MathAnswer, UnitsThatAreNotKnownAndDifferAreUndecided) {
  const std::pair<const char*, const char*> other[] = {
      {"apples", "oranges"}, {"apples", "cm"}, {"apples", "apples per child"}, {"dogs", "cats"}};
  for (const auto& [a, b] : other)
    for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
      const std::string gold = "12\\text{ " + std::string(x) + "}",
                        answer = "12\\text{ " + std::string(y) + "}";
      EXPECT_EQ(bare(gold, answer).verdict, Verdict::kUndecided) << gold << "   " << answer;
      EXPECT_EQ(bare(gold, "13\\text{ " + std::string(y) + "}").verdict, Verdict::kDifferent) << gold;
    }
  EXPECT_NE(bare("5\\text{ cm}", "5th").verdict, Verdict::kEqual);
  EXPECT_EQ(bare("5th place", "5th").verdict, Verdict::kEqual);
  EXPECT_EQ(bare("5th", "5th place").verdict, Verdict::kEqual);
  const std::pair<const char*, const char*> same[] = {{"apple", "apples"},
                                                      {"boxes", "box"},
                                                      {"berries", "Berry"},
                                                      {"apples", "red apples"},
                                                      {"cm", "cm long"},
                                                      {"years", "years old"},
                                                      {"square units", "cm^2"},
                                                      {"apples", "total"},
                                                      {"apples", "units"},
                                                      {"ways.", "ways"},
                                                      {"people", "person"},
                                                      {"miles", "miles in total"},
                                                      {"dollars", "dollars profit"},
                                                      {"", "apples"},
                                                      {"places", "places exactly"},
                                                      {"the apples", "apples"}};
  for (const auto& [a, b] : same) {
    const std::string gold = "12\\text{ " + std::string(a) + "}",
                      answer = "12\\text{ " + std::string(b) + "}";
    EXPECT_EQ(bare(gold, answer).verdict, Verdict::kEqual) << gold << "   " << answer;
    EXPECT_EQ(bare(answer, gold).verdict, Verdict::kEqual) << answer << "   " << gold;
  }
}

// A unit alone is no value: nothing is left where its letters are taken away.
TEST(MathAnswer, LettersOfAUnitAlone) {
  for (const char* unit : {"m", "\\text{ m}", "m/s", "m s^{-1}", "m^2", "mm"})
    for (const char* gold : {"2\\text{ m}", "2\\text{ m/s}", "2\\text{ m}^2", "2 m", "2"}) {
      EXPECT_NE(bare(gold, unit).verdict, Verdict::kEqual) << gold << "   " << unit;
      EXPECT_NE(bare(unit, gold).verdict, Verdict::kEqual) << gold << "   " << unit;
    }
}

std::string repeated(std::string_view what, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += what;
  return all;
}

// Counted work, not time, bounds a comparison; each of these ends with a verdict and within the budget.
TEST(MathAnswer, HostileTextsCostLittle) {
  const std::vector<std::string> hostile = {
      "9^{9^{9^9}}",
      "9^{9^{9^{9^{9^9}}}}",
      "(10^7)!",
      "((100!)!)!",
      "\\binom{10^{12}}{5\\cdot 10^{11}}",
      "\\sum_{k=1}^{10^{12}} k^2",
      "\\sum_{a=1}^{9999}\\sum_{b=1}^{9999}\\sum_{c=1}^{9999} abc",
      repeated("(", 2000) + "1" + repeated(")", 2000),
      repeated("\\frac{1}{1+", 250) + "x" + repeated("}", 250),
      repeated("\\sqrt{1+", 250) + "2" + repeated("}", 250),
      std::string(100000, '7'),
      repeated("x+", 4000) + "1",
      repeated("\\boxed{", 3000),
      repeated("$", 9999),
      "2^{2^{2^{2^{x}}}}",
      "\\frac{x^{800}-1}{x-1}",
      repeated("-", 5000) + "1",
      "10^{-100000}",
      "1e999999",
      repeated("1,", 2000) + "1",
      repeated("\\{1,", 300),
      "\\sin(10^{10^{10}})",
      "e^{e^{e^{e^{e^e}}}}",
      repeated("!", 300),
      "3" + repeated("!", 30),
      repeated("2^", 300) + "2",
      "\\sum_{k=1}^{9999} \\frac{1}{k}",
      "\\prod_{k=1}^{6000} k!",
      "\\binom{60000}{30000}",
      std::string(16000, '7'),
      repeated("\\ln ", 100) + "x",
      repeated("\\sqrt{2},", 255) + "1",
      repeated("A(", 200) + "1,2" + repeated(")", 200),
      repeated("|", 300) + "x" + repeated("|", 300),
      repeated("|x|", 300),
      repeated("\\{x|", 100) + "x>0" + repeated("\\}", 100),
      repeated("(0,1)\\cup", 250) + "(2,3)",
      repeated("\\frac{1}{1+", 60) + "x" + repeated("}", 60) + "=y",
      repeated("1:", 500) + "1",
      repeated("\\frac{d}{dx}", 100) + "x^{200}",
      "\\frac{d^3}{dx^3}" + repeated("\\sin(", 60) + "x" + repeated(")", 60),
      "\\frac{d^3}{dx^3}(" + repeated("\\sin x ", 200) + ")",
      repeated("\\int_0^1 ", 200) + "x" + repeated(" dx", 200),
      repeated("\\int_0^1 ", 60) + "x" + repeated(" dx", 60),
      repeated("\\lim_{x\\to 0}", 100) + "x",
      repeated("\\int_0^1 x dx+", 200) + "1",
      repeated("\\int ", 2000),
      "1+2+\\dots+9^{9^9}",
      repeated("set(", 200) + "1" + repeated(")", 200)};
  for (const std::string& text : hostile)
    for (const auto& [gold, answer] :
         {std::pair(std::string("x+1"), text), std::pair(text, std::string("x+1")), std::pair(text, text),
          std::pair(text, text + "+1"), std::pair(std::string("1,2"), text)}) {
      const Result r = bare(gold, answer);
      EXPECT_LE(r.work, kDefaultWork) << text.substr(0, 60);
      EXPECT_EQ(bare(gold, answer).work, r.work) << "counted, so the same again: " << text.substr(0, 60);
      EXPECT_FALSE(r.verdict == Verdict::kEqual && gold != answer) << text.substr(0, 60) << told(r);
      judge(Gold(gold, {}), answer, {});
    }
}

TEST(MathAnswer, TheBudgetEndsWork) {
  const Policies policies;
  const Result r = compare(Gold("\\sum_{k=1}^{9000} \\sin k", policies),
                           "\\sum_{j=0}^{8999} \\cos(j+1-\\pi/2)", policies, false, 20000);
  EXPECT_EQ(r.verdict, Verdict::kLimit) << r.reason;
}

struct Completion {
  const char *gold, *text;
  Verdict verdict;
};
TEST(MathAnswer, WhereTheAnswerIs) {
  const std::vector<Completion> rows = {
      {"5", "So $x=5$ and the answer is $\\boxed{5}$.", Verdict::kEqual},
      {"5", "\\boxed{4} was wrong. It is \\boxed{5}.", Verdict::kEqual},
      {"5", "It is \\boxed{5}. No, \\boxed{4}.", Verdict::kDifferent},
      {"5", "It is \\boxed 5", Verdict::kEqual},
      {"5", "It is \\fbox{5}", Verdict::kEqual},
      {"\\frac{1}{2}", "It is \\boxed{\\frac{1}{2}", Verdict::kEqual},
      {"5", "\\boxed{\\boxed{5}}", Verdict::kEqual},
      {"11\\sqrt2", "\\boxed{11\\sqrt{2}} \\approx \\boxed{15.56}", Verdict::kEqual},
      {"1,2", "$\\boxed{1}$ and $\\boxed{2}$", Verdict::kEqual},
      {"2", "$\\boxed{1}$ and $\\boxed{2}$", Verdict::kEqual},
      {"1", "$\\boxed{1}$ and $\\boxed{2}$", Verdict::kDifferent},
      {"5", "The final answer is 5. I hope it is correct.", Verdict::kEqual},
      {"5", "The final answer is $5$. I hope it is correct.", Verdict::kEqual},
      {"5", "Final Answer: **5**", Verdict::kEqual},
      {"73", "**Answer:** 73", Verdict::kEqual},
      {"73", "**73**", Verdict::kEqual},
      {"18", "9 * 2 = 18\n#### 18", Verdict::kEqual},
      {"1800", "so 5 + 6\nA: 1,800", Verdict::kEqual},
      {"5", "答案是5。", Verdict::kEqual},
      {"\\frac{1}{2}", "Therefore the answer is \\(\\frac{1}{2}\\).", Verdict::kEqual},
      {"\\frac{1}{2}", "Thus\n\\[\n\\frac{1}{2}\n\\]", Verdict::kEqual},
      {"x=3", "so $y = 2$ and $x = 3$", Verdict::kEqual},
      {"42", "She has 42 apples.", Verdict::kEqual},
      {"42", "She has $42 left.", Verdict::kEqual},
      {"-3", "it is -3", Verdict::kEqual},
      {"12", "How many edges has a cube? 12", Verdict::kEqual},
      {"12", "It is not the cube 12", Verdict::kDifferent},
      {"2", "x is 5-3", Verdict::kEqual},
      {"\\frac{1}{2}", "\\frac{1}{2}", Verdict::kEqual},
      {"pi/2", "\\frac{\\pi}{2}", Verdict::kEqual},
      {"5", "<think>4</think>The answer is 5<|im_end|>", Verdict::kEqual},
      {"5", "The answer is 5</s>", Verdict::kEqual},
      {"5", "<think>5</think>", Verdict::kUnparsedPrediction},
      {"5", "<think>The answer is 5", Verdict::kUnparsedPrediction},
      {"5", "<answer> 5 </answer>", Verdict::kEqual},
      {"B", "The answer is (B).", Verdict::kEqual},
      {"B", "The answer is B. 12", Verdict::kEqual},
      {"B", "The answer is (C) 12.", Verdict::kDifferent},
      {"1", "the answer is \\frac{1}{", Verdict::kUnparsedPrediction},
      {"1", "so $\\frac{1}{}$", Verdict::kUnparsedPrediction},
      {"5", "", Verdict::kUnparsedPrediction},
      {"5", "no idea", Verdict::kDifferent},
  };
  for (const Completion& row : rows) {
    const Result r = judge(Gold(row.gold, {}), row.text, {}, true);
    EXPECT_EQ(r.verdict, row.verdict)
        << row.gold << "   " << row.text << "   " << r.answer << "   " << told(r);
  }
}

Verdict in_text(const std::string& gold, const std::string& text) {
  return judge(Gold(gold, {}), text, {}).verdict;
}

TEST(MathAnswer, NoneOfSeveralGuessesPays) {
  const std::vector<std::string> joints = {", ",         "; ", " or ", ", or ",
                                           " or maybe ", "/",  " | ",  " \\text{ or } "};
  const std::pair<const char*, const char*> marks[] = {{"\\boxed{", "}"}, {"$", "$"}, {"\\(", "\\)"}};
  for (const auto& [open, close] : marks)
    for (const std::string& joint : joints)
      for (const char* lead : {"", "The answer is ", "It could be "}) {
        const auto guess = [&, open = open, close = close](const char* value) {
          return std::string(open) + value + close;
        };
        for (const char* right : {"10", "20", "30"})
          for (const std::string& text :
               {guess("10") + joint + guess("20") + joint + guess("30"), guess("10") + joint + guess("30")})
            EXPECT_NE(in_text(right, lead + text), Verdict::kEqual) << right << "   " << lead << text;
        if (joint != ", " && joint != " or ") continue;
        EXPECT_EQ(in_text("10,30", lead + guess("10") + joint + guess("30")), Verdict::kEqual)
            << lead << guess("10") << joint << guess("30");
        EXPECT_EQ(in_text("30", guess("10") + " is wrong.\n\nSo it is " + guess("30")), Verdict::kEqual);
      }
  for (const char* joint : {", ", " ", ",", " or "})
    for (const char* lead : {"It could be ", "Numbers: ", ""})
      for (const char* right : {"10", "20", "30"})
        EXPECT_NE(in_text(right, std::string(lead) + "10" + joint + "20" + joint + "30"), Verdict::kEqual)
            << right << "   " << lead << joint;
  EXPECT_EQ(in_text("3", "where $n = 2$, $m = 3$"), Verdict::kEqual) << "statements, not guesses";
}

TEST(MathAnswer, ABoundIsNoNumber) {
  for (const char* bound : {"at most", "at least", "up to", "less than", "more than", "no more than",
                            "not less than", "over", "under"})
    for (const char* lead :
         {"The answer is ", "the answer is about ", "It is ", "Thus she can buy ", "It's "}) {
      if (std::string(bound) == "up to" && std::string(lead).ends_with("buy ")) continue;
      if (std::string(bound) == "up to" && std::string(lead).ends_with("about ")) continue;
      EXPECT_NE(in_text("42", std::string(lead) + bound + " 42."), Verdict::kEqual) << lead << bound;
      EXPECT_NE(in_text("42", std::string(lead) + bound + " 42 apples."), Verdict::kEqual) << lead << bound;
    }
  for (const char* bound : {"at most", "at least"})
    for (const char* lead : {"The answer is ", "It is "})
      EXPECT_NE(in_text("42", std::string(lead) + "42 " + bound + "."), Verdict::kEqual) << lead << bound;
  for (const char* text :
       {"They add up to 42.", "The most she can buy is 42.", "The maximum is 42.", "The least of them is 42.",
        "The answer is 42, up to rounding.", "It comes up to 42."})
    EXPECT_EQ(in_text("42", text), Verdict::kEqual) << text;
}

// A letter is the answer of many choices and an article or a pronoun of many sentences.
TEST(MathAnswer, ALetterWithWordsIsNotThatLetter) {
  for (const char* letter : {"A", "I", "B", "C", "x", "n"})
    for (const char* words : {"circle", "dog", "think", "flat", "few", "guess", "is wrong", "have no idea"}) {
      const std::string text = std::string(letter) + " " + words;
      EXPECT_NE(bare(letter, text).verdict, Verdict::kEqual) << text;
      EXPECT_NE(in_text(letter, "The answer is " + text + "."), Verdict::kEqual) << text;
    }
  for (const char* unit : {"cm", "\\text{ cm}", "\\text{ meters}", "^\\circ"})
    EXPECT_EQ(bare("x", std::string("x ") + unit).verdict, Verdict::kEqual) << unit;
  EXPECT_EQ(bare("2x+1", "2x+1\\text{ apples}").verdict, Verdict::kEqual);
}

// The right number of another thing is not the answer, from either side; a side that says nothing of it may be right.
TEST(MathAnswer, SignsAreUnitsToo) {
  const std::vector<std::vector<const char*>> kinds = {
      {"90^\\circ", "90 degrees", "90\\text{ degrees}", "90°"},
      {"90\\%", "90 percent"},
      {"90 cm", "90\\text{ cm}", "900 mm"},
      {"\\$90", "90 dollars"},
      {"90 kg"},
      {"90\\text{ cm}^2", "90 sq cm"}};
  for (size_t a = 0; a < kinds.size(); ++a)
    for (size_t b = 0; b < kinds.size(); ++b)
      for (const char* gold : kinds[a])
        for (const char* given : kinds[b])
          EXPECT_EQ(bare(gold, given).verdict, a == b ? Verdict::kEqual : Verdict::kDifferent)
              << gold << " " << given;
  for (const auto& kind : kinds)
    for (const char* text : kind)
      if (std::string(text) != "900 mm") {
        EXPECT_EQ(bare(text, "90").verdict, Verdict::kEqual) << text;
        EXPECT_EQ(bare("90", text).verdict, Verdict::kEqual) << text;
      }
  for (const char* of_area : {"90\\text{ sq units}", "90\\text{ square units}"}) {
    for (const char* other : {"\\$90", "90 cm", "90 kg", "90\\%"}) {
      EXPECT_EQ(bare(of_area, other).verdict, Verdict::kDifferent) << of_area << other;
      EXPECT_EQ(bare(other, of_area).verdict, Verdict::kDifferent) << of_area << other;
    }
    EXPECT_EQ(bare(of_area, "90\\text{ cm}^2").verdict, Verdict::kEqual);
    EXPECT_EQ(bare(of_area, "90").verdict, Verdict::kEqual);
  }
  for (const char* unknown : {"90 apples", "90 gizmos"})
    for (const char* sign : {"90^\\circ", "90\\%"}) {
      EXPECT_EQ(bare(sign, unknown).verdict, Verdict::kUndecided) << sign << unknown;
      EXPECT_EQ(bare("91" + std::string(sign).substr(2), unknown).verdict, Verdict::kDifferent)
          << sign << unknown;
    }
  EXPECT_EQ(bare("25^\\circ", "25^\\circ C").verdict, Verdict::kEqual);
}

TEST(MathAnswer, OtherWaysToSayIt) {
  for (int hour = 1; hour <= 11; ++hour)
    for (const char* minutes : {":00", ":30", ":59"}) {
      const std::string time = std::to_string(hour) + minutes, late = std::to_string(hour + 12) + minutes;
      EXPECT_EQ(bare(time + " pm", late).verdict, Verdict::kEqual) << late;
      EXPECT_EQ(bare("\\text{" + late + "}", time + " p.m.").verdict, Verdict::kEqual) << late;
      EXPECT_NE(bare(time + " am", late).verdict, Verdict::kEqual) << late;
      EXPECT_NE(bare(time, late).verdict, Verdict::kEqual) << "without any p.m.: " << late;
    }
  EXPECT_EQ(bare("12:30 am", "0:30").verdict, Verdict::kEqual);
  EXPECT_NE(bare("12:30 pm", "0:30").verdict, Verdict::kEqual);
  for (const char* plus : {"\\infty", "+\\infty"}) {
    EXPECT_EQ(bare(plus, "\\text{infinity}").verdict, Verdict::kEqual) << plus;
    EXPECT_NE(bare(plus, "\\text{negative infinity}").verdict, Verdict::kEqual) << plus;
  }
  EXPECT_EQ(bare("-\\infty", "\\text{negative infinity}").verdict, Verdict::kEqual);
  EXPECT_NE(bare("-\\infty", "\\text{infinity}").verdict, Verdict::kEqual);
  for (const char* word : {"minus ", "negative ", "Negative "})
    for (const char* number : {"30", "$30$", "\\frac{1}{2}", "2.5"}) {
      EXPECT_EQ(bare("-" + std::string(number), word + std::string(number)).verdict, Verdict::kEqual)
          << number;
      EXPECT_NE(bare(number, word + std::string(number)).verdict, Verdict::kEqual) << number;
      EXPECT_NE(in_text(number, "The answer is " + std::string(word) + number + "."), Verdict::kEqual)
          << number;
    }
  for (const char* form : {"b. Paris", "b) Paris", "(b) Paris", "b: Paris"}) {
    EXPECT_EQ(bare("B", form).verdict, Verdict::kEqual) << form;
    EXPECT_NE(bare("A", form).verdict, Verdict::kEqual) << form;
    EXPECT_NE(bare("P", form).verdict, Verdict::kEqual) << form;
  }
  for (const char* no : {"b", "(b)", "be careful", "b Paris", "(b) 12", "a. e. b"})
    EXPECT_NE(bare("B", no).verdict, Verdict::kEqual) << no;
}

TEST(MathAnswer, TheCInterface) {
  math_answer_policies* policies = math_answer_policies_new();
  EXPECT_EQ(math_answer_policies_set(policies, "percent", "number"), 0);
  EXPECT_EQ(math_answer_policies_set(policies, "percent", "many"), -1);
  EXPECT_EQ(math_answer_policies_set(policies, "no such", "1"), -1);
  EXPECT_EQ(math_answer_policies_set(policies, "decimal_digits", "51"), -1);
  math_answer_gold* gold = math_answer_gold_new("50\\%", 4, policies);
  math_answer_policies_free(policies);
  EXPECT_EQ(math_answer_gold_verdict(gold), MATH_ANSWER_EQUAL);
  char reason[8];
  EXPECT_EQ(math_answer_compare(gold, "50", 2, reason, sizeof reason), MATH_ANSWER_EQUAL);
  EXPECT_EQ(std::string(reason).size(), 7u) << "cut to the buffer";
  EXPECT_EQ(math_answer_compare(gold, "1/2", 3, nullptr, 0), MATH_ANSWER_DIFFERENT);
  EXPECT_EQ(math_answer_judge(gold, "so \\boxed{50}", 13, nullptr, 0), MATH_ANSWER_EQUAL);
  EXPECT_STREQ(math_answer_verdict_name(MATH_ANSWER_LIMIT), "limit");
  EXPECT_EQ(math_answer_verdict_name(6), nullptr);
  math_answer_gold_free(gold);
}

}  // namespace
