// What a program printed against what it should have printed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::code {

enum class Compare { kTokens, kLines, kExact };

// kTokens: the same number of lines once blanks at line ends and empty lines at the end are gone, line by line the same tokens; a token that is a number
// with a point or an exponent in `expected` may differ by tolerance · max(1, |expected|). kLines: the same lines, blanks at line ends and
// empty lines at the end aside. kExact: the same bytes.
bool same_output(std::string_view actual, std::string_view expected, Compare how, double tolerance);

}  // namespace tenon::code
