// JSON as the run's files have it: numbers in the shortest form that reads back to the same bits, NaN and infinities as null.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace tenon::host {

// "0.1", "1e-06", "3"; "null" if it is not finite.
std::string json_number(double value);
// With the quotes. The text should be UTF-8; bytes that are not become U+FFFD, so that the line stays JSON.
std::string json_quote(std::string_view text);

enum class JsonOrder { kAsIs, kSorted };
// On one line, no spaces. kSorted puts the keys of objects in byte order: the canonical text that is hashed.
std::string json_text(const boost::json::value& value, JsonOrder order = JsonOrder::kAsIs);
// On several lines, indented by two spaces, for files that people read.
std::string json_pretty(const boost::json::value& value);

}  // namespace tenon::host
