// Policies by name.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/policies.h"

#include <charconv>
#include <cmath>
#include <initializer_list>

namespace tenon::math_answer {
namespace {

bool read(bool& field, std::string_view value) {
  if (value != "true" && value != "false") return false;
  field = value == "true";
  return true;
}

template <class T>
bool read_number(T& field, std::string_view value, T min, T max) {
  T parsed{};
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size() || !(parsed >= min && parsed <= max))
    return false;
  field = parsed;
  return true;
}

bool read_choice(int& field, std::string_view value, std::initializer_list<const char*> names) {
  int index = 0;
  for (const char* name : names) {
    if (value == name) {
      field = index;
      return true;
    }
    ++index;
  }
  return false;
}

}  // namespace

bool set_policy(Policies& p, std::string_view name, std::string_view value) {
#define MATH_BOOL(field, fallback, doc) \
  if (name == #field) return read(p.field, value);
#define MATH_INT(field, fallback, min, max, doc) \
  if (name == #field) return read_number<int64_t>(p.field, value, min, max);
#define MATH_NUMBER(field, fallback, doc) \
  if (name == #field) return read_number<double>(p.field, value, 0, HUGE_VAL);
#define MATH_CHOICE(field, fallback, doc, ...) \
  if (name == #field) return read_choice(p.field, value, {__VA_ARGS__});
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE
  return false;
}

}  // namespace tenon::math_answer
