// Filters, tests, methods and operators of template values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat_template/value.h"

namespace tenon::chat {

// What a built-in throws; the interpreter adds the place.
class ValueError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

bool is_filter(std::string_view name);
bool is_test(std::string_view name);

Value apply_filter(std::string_view name, const Value& input, Arguments arguments);
bool apply_test(std::string_view name, const Value& input, const std::vector<Value>& arguments);

bool is_method(const Value& object, std::string_view name);
Value call_method(const Value& object, std::string_view name, Arguments arguments);

// "+", "-", "*", "/", "//", "%", "**", "~"
Value binary(std::string_view op, const Value& left, const Value& right);
// "==", "!=", "<", "<=", ">", ">=", "in", "not in"
bool compare(std::string_view op, const Value& left, const Value& right);

Value attribute(const Value& object, const std::string& name);  // object.name
Value item(const Value& object, const Value& key);              // object[key]
// Absent bounds are none.
Value slice(const Value& object, const Value& begin, const Value& end, const Value& step);

// What a for statement goes through: a list's elements, a dictionary's keys, a string's characters.
List elements(const Value& value);

}  // namespace tenon::chat
