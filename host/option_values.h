// Option values: their paths, their text forms (durations, sizes, numbers) and the names of their types.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/config.h"
#include "tenon/abi.h"

namespace tenon::host {

// The option at `path` ("schedule.kind", "rewards", "rewards.0", "rewards.0.weight") of a table; nullptr:
// there is none.
const tenon_option* find_option(const tenon_option* const* table, std::string_view path);

// The value at such a path of Spec::options; nullptr: absent.
const boost::json::value* find_value(const boost::json::object& options, std::string_view path);

// "int", "list of float", "reward", "path"…: what to write.
std::string type_name(const tenon_option& option);

// "an int", "a float".
std::string with_article(const std::string& noun);

// A JSON text as one writes it in a configuration: a text without its quotes.
std::string plain_json(const char* json);

// Nothing if the text is not one, or does not fit.
std::optional<int64_t> parse_int(std::string_view text);   // "12", "-3", "0x1F", "1e6"
std::optional<double> parse_float(std::string_view text);  // finite
std::optional<double> parse_duration(
    std::string_view text);  // seconds; "10s", "1h30m", "250ms", "2.5" (seconds); not negative
std::optional<int64_t> parse_bytes(std::string_view text);  // "64MiB", "1.5GB", "4096"; not negative

// "a/rewards.py:fn" names a function of a file: "a/rewards.py". Any other path is itself.
std::string file_of(const std::string& path);

// A bound of an option as a number in the unit of its values; nothing if there is no bound or it is not one.
std::optional<long double> parse_bound(const tenon_option& option, const char* json);

// A value as JSON by its look (YAML's core schema): null, true, 12, 1.5, text.
boost::json::value to_json(const Value& value);

}  // namespace tenon::host
