// PCRE2 behind one class.
// SPDX-License-Identifier: Apache-2.0
#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tenon/error.hpp"

namespace tenon::evaluate {

namespace {
std::string message(int code) {
  unsigned char text[256];
  int n = pcre2_get_error_message(code, text, sizeof text);
  return n > 0 ? std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(n))
               : "error " + std::to_string(code);
}
}  // namespace

Pattern::Pattern(const std::string& regex) : regex_(regex) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                                   PCRE2_UTF | PCRE2_DOTALL, &error, &at, nullptr);
  if (code == nullptr)
    throw Error(TENON_E_INVALID,
                "regex \"" + regex + "\", character " + std::to_string(at) + ": " + message(error));
  code_.reset(code, [](void* c) { pcre2_code_free(static_cast<pcre2_code*>(c)); });
}

bool Pattern::in(std::string_view text) const {
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  int rc = pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(text.data()),
                       text.size(), 0, 0, data.get(), nullptr);
  if (rc == PCRE2_ERROR_NOMATCH || (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21))
    return false;
  if (rc < 0)
    throw Error(TENON_E_INVALID, "regex \"" + regex_ + "\": " + message(rc) + "; write a simpler one");
  return true;
}

}  // namespace tenon::evaluate
