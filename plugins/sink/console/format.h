// Numbers and times as the console prints them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::console {

// About four characters: "0.812", "41.2", "1234", "-1.2e-05"; "-" for NaN.
std::string number(double value);
// "950", "12.3k", "4.5M".
std::string rate(double value);
// "0:07", "12:34", "3:04:05"; "-" if it is negative or not finite.
std::string duration(double seconds);
// The first `columns` characters of UTF-8 text (code points; the console prints none that is wide).
std::string_view first_columns(std::string_view text, size_t columns);

}  // namespace tenon::console
