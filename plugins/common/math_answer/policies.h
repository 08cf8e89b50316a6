// The choices that a comparison of math answers leaves open, each with a name and a default.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace tenon::math_answer {

// Fields as in policies.def; a choice holds the index of its name.
struct Policies {
#define MATH_BOOL(field, fallback, doc) bool field = fallback;
#define MATH_INT(field, fallback, min, max, doc) int64_t field = fallback;
#define MATH_NUMBER(field, fallback, doc) double field = fallback;
#define MATH_CHOICE(field, fallback, doc, ...) int field = fallback;
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE
};

// Sets the policy `name` from its value as text ("true", "4", "fraction"). False: there is no such policy, or the value is none of it.
bool set_policy(Policies& policies, std::string_view name, std::string_view value);

}  // namespace tenon::math_answer
