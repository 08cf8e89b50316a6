// The matrix algorithm × test: what is checked of each case, and the verdicts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cases.h"
#include "faults.h"

namespace tenon::test {

// The columns: "options", that the component's own check finds no mistake; the checks of tenon/conformance/algorithm.hpp, then "advantages" and "gradient", equal to the float64 reference to 1e-6.
std::vector<std::string> columns();

struct Verdict {
  enum { kGreen, kRed, kNone } is;  // kNone: not asked for, or no reference is written for the algorithm
  std::string text;                 // what is wrong, of kRed
};
// One verdict for each of columns(). fault: put into the algorithm before it is judged. Throws nothing: what an error keeps from being judged is red.
// only: the one column to judge, the others have kNone then; "": all.
std::vector<Verdict> judge(const Case& of, Fault fault = {}, std::string_view only = "");
// Whether the algorithm writes anything into the column of the fault; throws Error if it cannot be made.
bool has_fault(const Case& of, Fault fault);

}  // namespace tenon::test
