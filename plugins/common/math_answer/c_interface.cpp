// The C interface over the C++ one. Nothing is thrown across it.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <new>

#include "math_answer/math_answer.h"
#include "math_answer/math_answer.hpp"

struct math_answer_policies {
  tenon::math_answer::Policies value;
};
struct math_answer_gold {
  tenon::math_answer::Policies policies;
  tenon::math_answer::Gold gold;
};

namespace {

using tenon::math_answer::Result;

int told(const Result& result, char* reason, size_t size) {
  if (reason != nullptr && size > 0) {
    const size_t n = std::min(size - 1, result.reason.size());
    std::memcpy(reason, result.reason.data(), n);
    reason[n] = '\0';
  }
  return static_cast<int>(result.verdict);
}

// Out of memory is a limit.
template <class F>
int judged(F f, char* reason, size_t size) {
  try {
    return told(f(), reason, size);
  } catch (...) {
    if (reason != nullptr && size > 0) reason[0] = '\0';
    return MATH_ANSWER_LIMIT;
  }
}

}  // namespace

extern "C" {

math_answer_policies* math_answer_policies_new(void) {
  return new (std::nothrow) math_answer_policies();
}
void math_answer_policies_free(math_answer_policies* policies) {
  delete policies;
}
int math_answer_policies_set(math_answer_policies* policies, const char* name, const char* value) {
  return tenon::math_answer::set_policy(policies->value, name, value) ? 0 : -1;
}

math_answer_gold* math_answer_gold_new(const char* text, size_t size, const math_answer_policies* policies) {
  try {
    const tenon::math_answer::Policies chosen =
        policies != nullptr ? policies->value : tenon::math_answer::Policies();
    return new math_answer_gold{chosen, tenon::math_answer::Gold({text, size}, chosen)};
  } catch (...) {
    return nullptr;
  }
}
void math_answer_gold_free(math_answer_gold* gold) {
  delete gold;
}
int math_answer_gold_verdict(const math_answer_gold* gold) {
  return static_cast<int>(gold->gold.parsed().verdict);
}

int math_answer_compare(const math_answer_gold* gold, const char* answer, size_t size, char* reason,
                        size_t reason_size) {
  return judged(
      [&] {
        return tenon::math_answer::compare(gold->gold, {answer, size}, gold->policies);
      },
      reason, reason_size);
}
int math_answer_judge(const math_answer_gold* gold, const char* completion, size_t size, char* reason,
                      size_t reason_size) {
  return judged(
      [&] {
        return tenon::math_answer::judge(gold->gold, {completion, size}, gold->policies);
      },
      reason, reason_size);
}
const char* math_answer_verdict_name(int verdict) {
  if (verdict < 0 || verdict > MATH_ANSWER_LIMIT) return nullptr;
  return tenon::math_answer::verdict_name(static_cast<tenon::math_answer::Verdict>(verdict));
}

}  // extern "C"
