// From tokens to a tree: recursive descent with a bound on the depth.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "math_answer/ast.h"
#include "math_answer/policies.h"
#include "math_answer/token.h"

namespace tenon::math_answer {

// The root of what the tokens say, in `tree`. Throws ParseError or LimitError.
NodeId parse(std::vector<Token> tokens, const Policies& policies, Tree& tree);

// "3rd" of 3.
std::string ordinal_numeral(int64_t n);
// "21st" of "twenty-first", in small letters; empty of all else.
std::string ordinal_in_words(std::string_view words);

// A decimal literal as the scanner writes it: "12", "12.5", "1.5e-7", "0.". Throws LimitError for exponents beyond ±5,000.
Number number_of(std::string_view text);

}  // namespace tenon::math_answer
