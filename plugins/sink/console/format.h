// Numbers and times as the console prints them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenon::console {

// About four characters: "0.812", "41.2", "1234", "-1.2e-05"; "-" for NaN.
std::string number(double value);
// "950", "12.3k", "4.5M".
std::string rate(double value);
// "0:07", "12:34", "3:04:05"; "-" if it is negative or not finite.
std::string duration(double seconds);
// In characters: code points; the console prints none that is wide.
size_t columns_of(std::string_view text);
// The first `columns` characters of UTF-8 text.
std::string_view first_columns(std::string_view text, size_t columns);

// What a step's line says between its head and its tail. Of two fields the one with the lower rank is given up first.
struct Field {
  std::string text;
  int rank;
};
// "head  field  field  tail" in the order given, without as many fields as it takes to fit into `columns`; head and tail stay. An empty tail is left out.
std::string fitted(const std::string& head, std::vector<Field> fields, const std::string& tail,
                   size_t columns);

}  // namespace tenon::console
