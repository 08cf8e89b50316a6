// Units of measure in words and symbols: what may be dropped, converted or compared.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "math_answer/rational.h"

namespace tenon::math_answer {

// Length, time, mass, volume, angle, and money by currency.
enum class Dimension : uint8_t { kLength, kTime, kMass, kAngle, kDollar, kEuro, kSterling, kYen, kCount };

struct Unit {
  std::array<int8_t, static_cast<size_t>(Dimension::kCount)> exponents{};
  Rational factor{1};  // to metres, seconds, kilograms, degrees, dollars …
};

// Of "square feet", "cm^2", "km/h", "miles per hour", "sq. cm", "mph". Nothing: it is not known.
std::optional<Unit> parse_unit(std::string_view name);
// Whether a bare word after a number is a unit's name or symbol ("cm"), and not a product of letters.
bool is_unit_word(std::string_view word);
// 1000000 of "million"; 0: it is none.
int64_t multiplier_word(std::string_view word);
// "approximately", "about": may stand before a value.
bool is_lead_word(std::string_view word);
// Short words of English that are no product of letters: "it", "the".
bool is_plain_word(std::string_view word);
// Words after a number that make it another number or no answer: "more", "times", "or".
bool is_number_relation_word(std::string_view word);

}  // namespace tenon::math_answer
