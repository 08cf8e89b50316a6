// Arithmetic over given numbers, evaluated exactly. No eval, no recursion.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answer_text/number.h"

namespace tenon::countdown {

using Rational = answer_text::Rational;

constexpr size_t kMaxBytes = 4096;  // of an expression; the longest for eight numbers has some hundred

// What an expression says, or why it says nothing.
struct Result {
  std::string fault;                // empty: it is an expression
  bool divides_by_zero = false;     // it is one, and has no value
  Rational value;                   // of the left side, where there is one
  std::vector<Rational> numbers;    // as they are written, in order
  std::optional<Rational> claimed;  // "= 24" behind it
};

// Reads integers and decimals, + - * / and parentheses, a minus before a number or a parenthesis, × ÷ · − ⋅ ∗ ∕,
// \times \cdot \div \left \right, \frac{a}{b}, \dfrac and \tfrac, $, \(…\), \[…\] and \boxed{…} around the whole, and "= number" behind it. Everything
// else is a fault: there is no power, no implied product, no joining of digits. Numbers not in `allowed` are a
// fault too, which bounds the work: so is a number written more often than `allowed` has it.
Result evaluate(std::string_view text, const std::vector<Rational>& allowed);

}  // namespace tenon::countdown
