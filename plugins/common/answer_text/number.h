// Exact numbers out of written ones.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <optional>
#include <string_view>

namespace tenon::answer_text {

using Rational = boost::multiprecision::cpp_rational;

// The value of a written number: sign (also U+2212), "$", "€" or "£" before it, thousands commas (groups of
// three only), decimals, exponent ("1.5e3"), a fraction of two such numbers ("3/4"), a percent sign (dropped:
// 20% is 20), a trailing full stop. Nothing if the text is anything else, has more than 200 digits or an
// exponent beyond ±200, or divides by zero. Never rounds.
std::optional<Rational> parse_number(std::string_view text);

// |a − b| ≤ tolerance, exactly.
bool within(const Rational& a, const Rational& b, const Rational& tolerance);

}  // namespace tenon::answer_text
