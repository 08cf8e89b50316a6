// The form that lists, ± and dots are brought to before a comparison, and other ways to write a general solution.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "math_answer/ast.h"

namespace tenon::math_answer {

// a ± b as a + b and a − b, "x = 1, 2" as a list of values, 1, 2, …, 5 and 1 + 2 + … + n without their dots; all else as it is.
NodeId normal_list(Tree& tree, NodeId root);

// A copy below `to` in which the symbol of that name is sign · symbol + shift: over the integers, the same general solution.
NodeId reparametrized(const Tree& from, NodeId id, Tree& to, std::string_view name, int sign, int shift);

// x = m k + r of x ≡ r (mod m), with that name for k; kNone: it is no such relation.
NodeId class_as_solution(const Tree& from, NodeId root, Tree& to, std::string_view name);

// A hash of how something is written: the same for two trees that differ in brackets, in the order of terms and factors and in how a number is written alone.
// (1+x)^2 is (x+1)^2, and not 1+2x+x^2.
uint64_t written_form(const Tree& tree, NodeId root);

}  // namespace tenon::math_answer
