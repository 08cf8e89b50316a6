// Tests of the extractors and of exact numbers.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "answer_text/extract.h"
#include "answer_text/number.h"

namespace {

using namespace tenon::answer_text;
using Found = std::optional<std::string_view>;

TEST(Extract, AfterLast) {
  EXPECT_EQ(after_last("<3+4=7,7-2=5>5", ">"), "5");
  EXPECT_EQ(after_last("<1>2>3 \n", ">"), "3");
  EXPECT_EQ(after_last("<1>", ">"), Found());
  EXPECT_EQ(after_last("no tag", ">"), Found());
}

TEST(Extract, BetweenLast) {
  EXPECT_EQ(between_last("<answer>1</answer> or <answer> 2 </answer>", "<answer>", "</answer>"), "2");
  EXPECT_EQ(between_last("<answer>1</answer> <answer>2", "<answer>", "</answer>"), "1");
  EXPECT_EQ(between_last("1</answer>", "<answer>", "</answer>"), Found());
  EXPECT_EQ(between_last("<answer></answer>", "<answer>", "</answer>"), Found());
  EXPECT_EQ(between_last("**7**", "**", "**"), "7");
}

TEST(Extract, AfterHash) {
  EXPECT_EQ(after_hash("She makes 9 * 2 = <<9*2=18>>18.\n#### 18"), "18");
  EXPECT_EQ(after_hash("#### 1\n#### 1,234\nmore"), "1,234");
  EXPECT_EQ(after_hash("### 5"), Found());
}

TEST(Extract, LastBoxed) {
  EXPECT_EQ(last_boxed("so \\boxed{\\frac{1}{2}} then \\boxed{ 3 }."), "3");
  EXPECT_EQ(last_boxed("\\boxed{\\frac{1}{2}}"), "\\frac{1}{2}");
  EXPECT_EQ(last_boxed("\\boxed{\\{1, 2\\}}"), "\\{1, 2\\}");
  EXPECT_EQ(last_boxed("$\\boxed 42$"), "42");
  EXPECT_EQ(last_boxed("\\fbox{7}"), "7");
  EXPECT_EQ(last_boxed("\\boxed{1} \\boxed{2"), "1") << "an unclosed box is no answer";
  EXPECT_EQ(last_boxed("\\boxed{}"), Found());
  EXPECT_EQ(last_boxed("\\boxed"), Found());
  EXPECT_EQ(last_boxed("\\boxed{" + std::string(100000, '{')), Found());
}

TEST(Extract, LastNumber) {
  EXPECT_EQ(last_number("I had 3 apples, now 5."), "5");
  EXPECT_EQ(last_number("it costs $1,234.50 in all"), "1,234.50");
  EXPECT_EQ(last_number("the result is -7"), "-7");
  EXPECT_EQ(last_number("x = \xE2\x88\x92"
                        "7"),
            "\xE2\x88\x92"
            "7");
  EXPECT_EQ(last_number("5-3"), "3");
  EXPECT_EQ(last_number("5 - 3"), "3");
  EXPECT_EQ(last_number("10-3=7"), "7");
  EXPECT_EQ(last_number("3/4 of it"), "3/4");
  EXPECT_EQ(last_number("20% off"), "20%");
  EXPECT_EQ(last_number("1, 2,3"), "3");
  EXPECT_EQ(last_number("1,2345"), "2345") << "not a thousands comma";
  EXPECT_EQ(last_number(".5"), ".5");
  EXPECT_EQ(last_number("none"), Found());
  EXPECT_EQ(last_number(""), Found());
  EXPECT_EQ(last_number("about 5e3 in all"), "5e3");
  EXPECT_EQ(last_number("1.5E-3."), "1.5E-3");
  EXPECT_EQ(last_number("5e"), "5");
  EXPECT_EQ(last_number("in 5e3m"), "3") << "no exponent, but a word";
}

TEST(Extract, ByTheNameThatAnOptionGives) {
  const Marks marks{"<answer>", "</answer>", "Answer:"};
  const std::string_view text = " <answer>1</answer> \\boxed{2} Answer: 3\n#### 4\nor 5 ";
  for (const auto& [how, answer] :
       {std::pair("between-tags", "1"), std::pair("boxed", "2"), std::pair("after-tag", "3\n#### 4\nor 5"),
        std::pair("after-hash", "4"), std::pair("last-number", "5")})
    EXPECT_EQ(find_answer(how, text, marks), answer) << how;
  EXPECT_EQ(find_answer("whole", " a b\n", marks), "a b");
  EXPECT_EQ(find_answer("whole", " \n", marks), std::nullopt);
  EXPECT_THROW(find_answer("guess", text, marks), std::invalid_argument);
}

TEST(Number, Forms) {
  EXPECT_EQ(parse_number("18"), Rational(18));
  EXPECT_EQ(parse_number(" 1,234,567 "), Rational(1234567));
  EXPECT_EQ(parse_number("-$5.50"), Rational(-11, 2));
  EXPECT_EQ(parse_number("$-5.5"), Rational(-11, 2));
  EXPECT_EQ(parse_number("\xE2\x88\x92"
                         "3"),
            Rational(-3));
  EXPECT_EQ(parse_number("20%"), Rational(20));
  EXPECT_EQ(parse_number("20\\%"), Rational(20));
  EXPECT_EQ(parse_number("5."), Rational(5));
  EXPECT_EQ(parse_number("5.000"), Rational(5));
  EXPECT_EQ(parse_number("007"), Rational(7)) << "not octal";
  EXPECT_EQ(parse_number("3/4"), Rational(3, 4));
  EXPECT_EQ(parse_number("6/8"), Rational(3, 4));
  EXPECT_EQ(parse_number("1.5e3"), Rational(1500));
  EXPECT_EQ(parse_number("2E-2"), Rational(1, 50));
  EXPECT_EQ(parse_number(".5"), Rational(1, 2));
  EXPECT_EQ(parse_number("0.1"), Rational(1, 10)) << "exact, not the double nearest to it";
}

TEST(Number, WhatIsNot) {
  for (const char* text : {"",          " ",    ".",  "-",      "$",     "%",        "1,2",  "1,2345",
                           "12,34,567", ",123", "1,", "1,234,", "1 2",   "five",     "0x10", "1e",
                           "1e9999",    "1/0",  "3/", "--1",    "1.2.3", "5 apples", "inf",  "nan"})
    EXPECT_FALSE(parse_number(text)) << text;
  EXPECT_FALSE(parse_number(std::string(201, '9')));
  EXPECT_TRUE(parse_number(std::string(200, '9')));
}

TEST(Number, ExactBeyondDouble) {
  EXPECT_NE(parse_number("9007199254740993"), parse_number("9007199254740992"));
  EXPECT_TRUE(within(*parse_number("1.3"), Rational(1), *parse_number("0.3")));
  EXPECT_FALSE(within(*parse_number("1.30000000000000001"), Rational(1), *parse_number("0.3")));
  EXPECT_TRUE(within(Rational(1), *parse_number("1.3"), *parse_number("0.3")));
}

}  // namespace
