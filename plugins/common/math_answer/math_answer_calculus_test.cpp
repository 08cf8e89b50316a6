// Tests of derivatives, integrals, limits, sums, residues, sets in Python's spelling and numbers in words.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "math_answer/math_answer.hpp"

namespace {

using namespace tenon::math_answer;

using Pairs = std::vector<std::pair<std::string, std::string>>;

Result result_of(const std::string& gold, const std::string& answer) {
  const Policies policies;
  return compare(Gold(gold, policies), answer, policies);
}
// In both orders: what a derivative or a residue is does not depend on whose it is.
void expect_all(Verdict verdict, const Pairs& pairs) {
  for (const auto& [a, b] : pairs)
    for (const auto& [gold, answer] : {std::pair(a, b), std::pair(b, a)}) {
      const Result r = result_of(gold, answer);
      EXPECT_EQ(r.verdict, verdict) << gold << "   " << answer << "   " << r.reason;
    }
}

const std::vector<std::string> kVariables = {"x", "t", "\\theta"};

std::string with(std::string text, const std::string& variable) {
  for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at + variable.size()))
    text.replace(at, 1, variable);
  return text;
}

// A derivative that is written out is what the rules of calculus make of it, in each spelling of d and for each variable, and is not its argument.
TEST(MathAnswerCalculus, DerivativesOfElementaryFunctions) {
  const Pairs rules = {{"@^3", "3 @^2"},
                       {"(@^2+1)(@-1)", "3@^2-2@+1"},
                       {"\\sqrt{@}", "\\frac{1}{2\\sqrt{@}}"},
                       {"\\sqrt[3]{@}", "\\frac{1}{3\\sqrt[3]{@^2}}"},
                       {"\\frac{1}{@+1}", "-\\frac{1}{(@+1)^2}"},
                       {"e^{2 @}", "2e^{2 @}"},
                       {"2^{@}", "2^{@}\\ln 2"},
                       {"\\ln @", "\\frac{1}{@}"},
                       {"\\log_2 @", "\\frac{1}{@ \\ln 2}"},
                       {"\\sin(3 @)", "3\\cos(3 @)"},
                       {"\\cos @", "-\\sin @"},
                       {"\\tan @", "1+\\tan^2 @"},
                       {"\\cot @", "-\\csc^2 @"},
                       {"\\sec @", "\\sec @ \\tan @"},
                       {"\\csc @", "-\\csc @ \\cot @"},
                       {"\\arcsin @", "\\frac{1}{\\sqrt{1-@^2}}"},
                       {"\\arccos @", "-\\frac{1}{\\sqrt{1-@^2}}"},
                       {"\\arctan @", "\\frac{1}{1+@^2}"},
                       {"\\sinh @", "\\cosh @"},
                       {"\\tanh @", "1-\\tanh^2 @"},
                       {"@^{@}", "@^{@}(1+\\ln @)"},
                       {"a @^2 + b @ + c", "2a @ + b"}};
  for (const auto& [body, value] : rules)
    for (const std::string& variable : kVariables) {
      const std::string f = with(body, variable), df = with(value, variable);
      for (const char* spelling :
           {"\\frac{d}{d@}", "\\dfrac{d}{d @}", "\\frac{\\mathrm{d}}{\\mathrm{d}@}",
            "\\frac{\\partial}{\\partial @}", "\\frac{\\text{d}}{\\text{d}@}", "d/d@"}) {
        const std::string derivative = with(spelling, variable) + "\\left(" + f + "\\right)";
        if (derivative.starts_with("d/d\\")) continue;
        expect_all(Verdict::kEqual, {{df, derivative}});
        EXPECT_NE(result_of(f, derivative).verdict, Verdict::kEqual) << f << "   " << derivative;
        EXPECT_NE(result_of(df, derivative + "=" + f).verdict, Verdict::kEqual) << derivative << "=" << f;
        EXPECT_EQ(result_of(df, derivative + "=" + df).verdict, Verdict::kEqual) << derivative << "=" << df;
      }
    }
}

// d over d is no product: neither y over x nor anything else in which the d's cancel.
TEST(MathAnswerCalculus, DsDoNotCancel) {
  for (const Pairs::value_type& pair :
       Pairs{{"\\frac{dy}{dx}", "\\frac{y}{x}"},
             {"dy/dx", "y/x"},
             {"\\frac{d^2y}{dx^2}", "\\frac{dy}{x^2}"},
             {"\\frac{d^2y}{dx^2}", "\\frac{d^2y}{dt^2}"},
             {"\\frac{\\partial f}{\\partial x}", "\\frac{f}{x}"},
             {"\\frac{\\partial f}{\\partial x}", "\\frac{\\partial f}{\\partial y}"},
             {"\\frac{dy}{dx}=2x", "\\frac{y}{x}=2x"},
             {"\\frac{d}{dx}(x+1)x", "2x+1"},
             {"\\frac{d}{dx}xy", "y"},
             {"\\frac{dr}{dt}", "\\frac{r}{t}"}}) {
    EXPECT_NE(result_of(pair.first, pair.second).verdict, Verdict::kEqual)
        << pair.first << "   " << pair.second;
    EXPECT_NE(result_of(pair.second, pair.first).verdict, Verdict::kEqual)
        << pair.first << "   " << pair.second;
  }
  // Where it is no derivative, d is a symbol as any other.
  expect_all(Verdict::kEqual,
             {{"\\frac{d}{2}", "d/2"}, {"\\frac{d}{d+1}", "d/(1+d)"}, {"\\frac{a}{dx}", "a/(xd)"}});
}

// What is not worked out is equal to itself in any spelling, and to nothing else.
TEST(MathAnswerCalculus, OperatorsAreComparedByTheirParts) {
  expect_all(Verdict::kEqual,
             {{"\\int_0^1 x^2\\,dx", "\\int_{0}^{1} x^{2} \\mathrm{d}x"},
              {"\\int_0^1 x^2 dx", "\\int\\limits_0^1 t \\cdot t\\,dt"},
              {"\\int xdx", "\\int x \\, dx"},
              {"\\int x e^xdx", "\\int e^{x} x \\, dx"},
              {"∫_0^1 x dx", "Integral(x, (x, 0, 1))"},
              {"\\pi\\int_0^2 (x^2)^2 dx", "\\pi \\int_0^2 x^4 dx"},
              {"2\\int_0^1 x dx+1", "1+2\\int_0^1 x dx"},
              {"\\int_0^1\\int_0^x xy\\,dy\\,dx", "\\int_{0}^{1}\\int_{0}^{x} yx \\, dy \\, dx"},
              {"\\lim_{x \\to 0}\\frac{\\sin x}{x}", "\\lim_{t\\rightarrow 0} \\sin(t)/t"},
              {"\\lim_{x \\to 0^+} \\ln x", "\\lim\\limits_{x \\to 0^{+}} \\ln(x)"},
              {"\\sum_{n=1}^\\infty \\frac{1}{n^2}", "\\sum_{k=1}^{\\infty} k^{-2}"},
              {"2\\sum_{n=1}^\\infty \\frac{1}{n^2}-1", "-1+2\\sum_{n=1}^{\\infty} n^{-2}"},
              {"\\frac{d^2 y}{dx^2}+y", "y+\\frac{d^{2}y}{dx^{2}}"},
              {"\\frac{dV}{dt}=4\\pi r^2\\frac{dr}{dt}", "\\frac{dV}{dt}=\\frac{dr}{dt}4r^2\\pi"},
              {"x_1+\\dots+x_n", "x_{1} + \\cdots + x_{n}"}});
  expect_all(Verdict::kUndecided,
             {{"\\int_0^1 x^2 dx", "\\int_0^2 x^2 dx"},
              {"\\int_0^1 x^2 dx", "x^2"},
              {"\\int_0^1 x^2 dx", "\\int x^2 dx"},
              {"\\int x^2 dx", "\\int t^2 dt"},
              {"\\int_0^1 x^2 dx+1", "\\int_0^1 x^2 dx+2"},
              {"\\int_0^1 xy\\,dx", "\\int_0^1 xy\\,dy"},
              {"\\iint_D x\\,dA", "\\iint_E x\\,dA"},
              {"\\lim_{x\\to 0} x", "\\lim_{x\\to 1} x"},
              {"\\lim_{x\\to 0^+} \\frac1x", "\\lim_{x\\to 0^-} \\frac1x"},
              {"\\sum_{n=1}^\\infty \\frac{1}{n^2}", "\\sum_{n=1}^\\infty \\frac{1}{n^3}"},
              {"\\sum_{n=1}^\\infty \\frac{1}{n^2}", "\\prod_{n=1}^\\infty \\frac{1}{n^2}"},
              {"\\sum_{n=0}^\\infty x^n", "\\sum_{n=0}^\\infty y^n"},
              {"\\sum_{n=0}^\\infty x^n", "\\sum_{x=0}^\\infty n^x"},
              {"\\sum_{k=1}^{3}\\int_0^k x\\,dx", "3\\int_0^k x\\,dx"},
              {"1+4+\\dots+n^2", "5+\\dots+n^2"},
              {"a+b+\\dots+n", "a+b+\\dots+m"}});
}

// What is not worked out is a label of the value it is said to have.
TEST(MathAnswerCalculus, TheValueBehindAnOperator) {
  for (const char* label :
       {"\\int_0^1 f(x)\\,dx", "\\lim_{x\\to 0} g(x)", "\\sum_{n=1}^\\infty a_n", "\\frac{dy}{dx}",
        "\\frac{d^2y}{dx^2}", "\\int x^2\\,dx", "2\\int_0^1 x\\,dx", "\\prod_{n=2}^\\infty a_n"})
    for (const char* value : {"2", "\\frac{\\pi^2}{6}", "3a+1"}) {
      const std::string equation = std::string(label) + " = " + value;
      expect_all(Verdict::kEqual, {{equation, value}});
      expect_all(Verdict::kDifferent, {{equation, std::string(value) + "+1"}, {equation, equation + "+1"}});
    }
  expect_all(Verdict::kEqual, {{"\\frac{dy}{dx}=2x", "y'=2x"},
                               {"\\frac{d^2y}{dx^2}=2", "y''=2"},
                               {"\\frac{df}{dx}=2x", "f'(x)=2x"},
                               {"\\int_0^1 x^2 dx = \\frac13 \\approx 0.333", "\\frac13"}});
  for (const auto& [a, b] : Pairs{{"\\frac{dy}{dx}=2x", "y=2x"},
                                  {"\\frac{dy}{dx}=2x", "y''=2x"},
                                  {"f'(x)=2x", "f(x)=2x"},
                                  {"\\frac{dy}{dx}+y=0", "0"}})
    EXPECT_NE(result_of(a, b).verdict, Verdict::kEqual) << a << "   " << b;
}

TEST(MathAnswerCalculus, FiniteSumsAndProducts) {
  for (int from : {0, 1, 3})
    for (int to : {0, 1, 4, 12}) {
      int64_t sum = 0, product = 1;
      for (int k = from; k <= to; ++k) {
        sum += k * k + 1;
        product *= k + 1;
      }
      const std::string range = "_{k=" + std::to_string(from) + "}^{" + std::to_string(to) + "}";
      expect_all(Verdict::kEqual,
                 {{"\\sum" + range + " (k^2+1)", std::to_string(sum)},
                  {"sum" + range + " (k^2+1)", std::to_string(sum)},
                  {"\\prod" + range + " (k+1)", std::to_string(product)},
                  {"Sum(k**2+1, (k, " + std::to_string(from) + ", " + std::to_string(to) + "))",
                   std::to_string(sum)}});
      expect_all(Verdict::kDifferent, {{"\\sum" + range + " (k^2+1)", std::to_string(sum + 1)}});
    }
  expect_all(Verdict::kEqual,
             {{"\\sum_{i=1}^{3}\\sum_{j=1}^{i} ij", "25"}, {"\\sum_{k=1}^n k", "\\frac{n(n+1)}{2}"}});
}

TEST(MathAnswerCalculus, WhatCannotBeReadHasAReason) {
  for (const char* text : {"\\frac{d}{dx}", "\\frac{d^n}{dx^n}", "\\int_0^1 ) dx", "\\lim_{x\\to 0}",
                           "\\partial", "Sum(k)", "Integral(x)", "Derivative(x)", "Limit(x, x)"}) {
    const Result r = result_of("5", text);
    EXPECT_NE(r.verdict, Verdict::kEqual) << text;
    EXPECT_FALSE(r.reason.empty()) << text;
  }
}

// The sum of the dots, where it is the one that has equal steps and none that grows by a factor.
TEST(MathAnswerCalculus, SumsWithDots) {
  for (int first : {1, 2, -3})
    for (int step : {1, 2, 5, -1})
      for (int count : {7, 20, 100}) {
        int sum = 0;
        for (int k = 0; k < count; ++k) sum += first + k * step;
        const auto term = [&](int k) { return std::to_string(first + k * step); };
        const std::string text =
            "(" + term(0) + ")+(" + term(1) + ")+(" + term(2) + ")+\\dots+(" + term(count - 1) + ")";
        if (first + step == 0 || first + 2 * step == 0) continue;
        expect_all(Verdict::kEqual, {{text, std::to_string(sum)}});
        EXPECT_NE(result_of(text, std::to_string(sum + 1)).verdict, Verdict::kEqual) << text;
      }
  expect_all(Verdict::kUndecided, {{"1+2+\\dots+64", "2080"},
                                   {"1+2+4+\\dots+64", "127"},
                                   {"1+3+\\dots+10", "30"},
                                   {"1+2+\\dots+2^n", "2^{n+1}-1"},
                                   {"1+2+\\dots+n^2", "\\frac{n^2(n^2+1)}{2}"},
                                   {"1+2+\\dots+2n", "n(2n+1)"}});
  expect_all(Verdict::kEqual, {{"1+2+\\dots+n", "\\frac{n(n+1)}{2}"},
                               {"1+3+5+\\cdots+(2n-1)", "n^2"},
                               {"1+2+\\dots+100=5050", "5050"},
                               {"S=1+2+\\dots+n", "n(n+1)/2"}});
}

TEST(MathAnswerCalculus, VectorsByTheirComponents) {
  for (const char* spelling :
       {"2\\mathbf{i}-3\\mathbf{j}+\\mathbf{k}", "2\\hat{i}-3\\hat{j}+\\hat{k}", "2i-3j+k",
        "\\mathbf{k}+2\\mathbf{i}-3\\mathbf{j}", "\\frac{4\\mathbf{i}-6\\mathbf{j}+2\\mathbf{k}}{2}"}) {
    expect_all(Verdict::kEqual, {{spelling, "\\langle 2,-3,1\\rangle"},
                                 {spelling, "\\begin{pmatrix}2\\\\-3\\\\1\\end{pmatrix}"}});
    expect_all(Verdict::kDifferent,
               {{spelling, "\\langle 2,3,1\\rangle"}, {spelling, "(2,-3)"}, {spelling, "(1,2,-3)"}});
  }
  expect_all(Verdict::kDifferent, {{"i", "(1,0)"}, {"3+4i", "(3,4)"}, {"ij", "(1,1)"}, {"2i+3j+1", "(2,3)"}});
}

// "and" means both; only a comma may as well part alternatives.
TEST(MathAnswerCalculus, ConditionsThatExcludeEachOther) {
  for (const auto& [a, b] : Pairs{{"x>2", "x<-5"}, {"x \\ge 7", "x<7"}, {"x<0", "x>\\pi"}}) {
    const std::string both = a + " \\text{ and } " + b, either = a + " \\text{ or } " + b;
    expect_all(Verdict::kDifferent, {{either, both}});
    expect_all(
        Verdict::kEqual,
        {{both, b + " \\text{ and } " + a}, {either, b + " \\text{ or } " + a}, {either, a + ", " + b}});
  }
}

TEST(MathAnswerCalculus, Residues) {
  expect_all(Verdict::kEqual, {{"5 \\pmod 7", "5"},
                               {"5 \\pmod{7}", "12 \\pmod 7"},
                               {"5 (mod 7)", "5 \\pmod 7"},
                               {"x \\equiv 5 \\pmod 7", "5 \\pmod 7"},
                               {"x \\equiv 5 \\pmod 7", "x = 12 \\pmod 7"},
                               {"x \\equiv 5 \\pmod 7", "x \\equiv 5 (mod 7)"}});
  expect_all(Verdict::kDifferent, {{"5 \\pmod 7", "5 \\pmod 9"},
                                   {"5 \\pmod 7", "12"},
                                   {"5 \\pmod 7", "6 \\pmod 7"},
                                   {"x \\equiv 5 \\pmod 7", "5"},
                                   {"x \\equiv 5 \\pmod 7", "5 \\pmod 9"},
                                   {"x \\equiv 5 \\pmod 7", "y \\equiv 5 \\pmod 7"}});
}

// A general solution is a set: where its parameter runs over all integers, it may begin elsewhere and run backwards.
TEST(MathAnswerCalculus, GeneralSolutions) {
  const std::string in_z = ", k \\in \\mathbb{Z}";
  for (int modulus : {2, 3, 7})
    for (int residue = 0; residue < modulus; ++residue) {
      const std::string m = std::to_string(modulus), r = std::to_string(residue);
      const std::string solution = "x = " + m + "k + " + r + in_z;
      expect_all(
          Verdict::kEqual,
          {{solution, "x = " + m + "n + " + std::to_string(residue + modulus) + ", n \\in \\mathbb{Z}"},
           {solution, "x = " + std::to_string(residue - 2 * modulus) + "-" + m + "k" + in_z},
           {solution, "x \\equiv " + r + " \\pmod{" + m + "}"}});
      for (const std::string& other : {"x = " + m + "k + " + std::to_string(residue + 1) + in_z,
                                       "x = " + m + "k + " + r + ", k \\in \\mathbb{N}",
                                       "x \\equiv " + r + " \\pmod{" + std::to_string(modulus + 1) + "}",
                                       "x = " + std::to_string(2 * modulus) + "k + " + r + in_z,
                                       "y \\equiv " + r + " \\pmod{" + m + "}"})
        EXPECT_NE(result_of(solution, other).verdict, Verdict::kEqual) << solution << "   " << other;
    }
  expect_all(Verdict::kEqual,
             {{"x = \\frac{\\pi}{4} + k\\pi" + in_z, "x = k\\pi - \\frac{3\\pi}{4}" + in_z}});
  EXPECT_NE(result_of("x = \\frac{\\pi}{4} + k\\pi" + in_z, "x = k\\pi - \\frac{\\pi}{4}" + in_z).verdict,
            Verdict::kEqual);
}

TEST(MathAnswerCalculus, SetsInPythonsSpelling) {
  for (const char* spelling :
       {"set([1, 2])", "set((1, 2))", "set({1, 2})", "{1, 2}", "{2, 1}", "FiniteSet(1, 2)", "FiniteSet(2, 1)",
        "frozenset({1, 2})", "frozenset([2, 1])"}) {
    expect_all(Verdict::kEqual, {{"\\{1,2\\}", spelling}, {"1,2", spelling}});
    expect_all(Verdict::kDifferent,
               {{"\\{1,3\\}", spelling}, {"(1,2)", spelling}, {"\\{1,2,3\\}", spelling}});
  }
  expect_all(Verdict::kEqual,
             {{"set()", "\\emptyset"}, {"set([5])", "\\{5\\}"}, {"set([1,2,3])", "\\{3,2,1\\}"}});
}

TEST(MathAnswerCalculus, NumbersInWords) {
  const char* kOrdinals[] = {"first",   "second", "third", "fourth", "fifth",    "sixth",
                             "seventh", "eighth", "ninth", "tenth",  "eleventh", "twelfth"};
  for (int n = 1; n <= 12; ++n) {
    const std::string digits = std::to_string(n);
    const std::string numeral = digits + (n == 1 ? "st" : n == 2 ? "nd" : n == 3 ? "rd" : "th");
    expect_all(Verdict::kEqual, {{numeral, kOrdinals[n - 1]}, {numeral, digits}});
    // In words alone it may as well be a fraction.
    expect_all(Verdict::kDifferent, {{std::to_string(n + 1), kOrdinals[n - 1]},
                                     {digits, kOrdinals[n - 1]},
                                     {"1/" + digits, kOrdinals[n - 1]}});
  }
  expect_all(Verdict::kEqual, {{"12", "a dozen"},
                               {"24", "two dozen"},
                               {"6", "half a dozen"},
                               {"12", "dozen"},
                               {"100", "a hundred"},
                               {"1000", "a thousand"},
                               {"1000000", "a million"},
                               {"500000", "half a million"},
                               {"1/4", "a quarter"},
                               {"1/3", "a third"},
                               {"1/2", "a half"},
                               {"12", "a dozen eggs"},
                               {"21st", "twenty-first"},
                               {"2", "twice"},
                               {"1", "once"},
                               {"1/8", "an eighth"}});
  for (const auto& [gold, answer] : Pairs{{"12.5", "a dozen and a half"},
                                          {"2", "twice as many"},
                                          {"1/3", "third"},
                                          {"3", "a third"},
                                          {"32nd", "thirty second"},
                                          {"1", "first quadrant"},
                                          {"2", "twice 5"},
                                          {"12", "a dozen or two"}})
    EXPECT_NE(result_of(gold, answer).verdict, Verdict::kEqual) << gold << "   " << answer;
  // A letter a is still a letter.
  expect_all(Verdict::kEqual, {{"a+1", "1+a"}, {"a b", "b a"}, {"a", "a"}});
}

}  // namespace
