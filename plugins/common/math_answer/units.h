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

// "wrong", "maybe", "not": takes back what it stands beside, or offers something else.
bool is_judging_word(std::string_view word);
// Whether one is among words.
bool has_judging_word(std::string_view words);
// Whether words beside a value may be its unit: letters, with hyphens, strokes and exponents, without a judging word; in brackets a unit that is known.
bool may_be_unit(std::string_view words);
// Whether both may name one thing: the same up to number ("box", "boxes") and case, or one has all words of the other ("cm", "cm long") and no "per" more.
// Words that say nothing ("in total", "units") are no difference.
bool is_same_thing(std::string_view a, std::string_view b);

// 1 of "units", 2 of "square units", 3 of "cubic units": how often some length that is not told. 0: it is another unit.
int plain_power(std::string_view name);
// Whether a unit is of nothing but length, to that power.
bool is_length(const Unit& unit, int power);
// "degrees C", "percentage points": a unit that is written like a sign.
bool names_a_sign(std::string_view name);

}  // namespace tenon::math_answer
