// PCRE2 behind one class.
// SPDX-License-Identifier: Apache-2.0
#include "pattern/pattern.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tenon/error.hpp"

namespace tenon::pattern {

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

namespace {
using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
}  // namespace

bool Pattern::search(std::string_view text, size_t from, void* data) const {
  const int rc =
      pcre2_match(static_cast<const pcre2_code*>(code_.get()), reinterpret_cast<PCRE2_SPTR>(text.data()),
                  text.size(), from, 0, static_cast<pcre2_match_data*>(data), nullptr);
  if (rc == PCRE2_ERROR_NOMATCH || (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21))
    return false;
  if (rc < 0)
    throw Error(TENON_E_INVALID, "regex \"" + regex_ + "\": " + message(rc) + "; write a simpler one");
  return true;
}

bool Pattern::in(std::string_view text) const {
  const MatchData data(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  return search(text, 0, data.get());
}

std::optional<std::string> Pattern::last_capture(std::string_view text) const {
  const MatchData data(
      pcre2_match_data_create_from_pattern(static_cast<const pcre2_code*>(code_.get()), nullptr),
      pcre2_match_data_free);
  const size_t* const ends = pcre2_get_ovector_pointer(data.get());
  const size_t group = pcre2_get_ovector_count(data.get()) > 1 ? 1 : 0;
  std::optional<std::string> found;
  for (size_t from = 0; from <= text.size() && search(text, from, data.get());) {
    const size_t begin = ends[2 * group], end = ends[2 * group + 1];
    found = begin == PCRE2_UNSET ? std::nullopt : std::optional<std::string>(text.substr(begin, end - begin));
    from = std::max(ends[1], from);
    if (ends[1] == ends[0])  // an empty match: on by one character
      for (++from; from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80;) ++from;
  }
  return found;
}

namespace {
std::string element(const std::string& option, uint64_t i, const char* child) {
  return option + "." + std::to_string(i) + "." + child;
}
}  // namespace

std::vector<NamedPattern> read_patterns(const Host& host, const std::string& option) {
  std::vector<NamedPattern> all;
  for (uint64_t i = 0; i < host.count(option.c_str()); ++i)
    all.push_back({host.str(element(option, i, "name").c_str()),
                   Pattern(host.str(element(option, i, "regex").c_str()))});
  return all;
}

void check_patterns(const Host& host, const std::string& option, std::span<const std::string_view> reserved,
                    const std::string& reserved_for, Findings& findings) {
  std::vector<std::string> names;
  for (uint64_t i = 0; i < host.count(option.c_str()); ++i) {
    const std::string at = element(option, i, "name");
    const std::string name = host.str_if(at.c_str()).value_or("");
    if (std::find(reserved.begin(), reserved.end(), name) != reserved.end())
      findings.error(at.c_str(), reserved_for + " called " + name + " of their own: take another name");
    else if (std::find(names.begin(), names.end(), name) != names.end())
      findings.error(at.c_str(),
                     "two patterns are called " + name +
                         ", and one's number would take the place of the other's: take another name");
    names.push_back(name);
    try {
      if (auto regex = host.str_if(element(option, i, "regex").c_str())) Pattern pattern(*regex);
    } catch (const Error& e) {
      findings.error(element(option, i, "regex").c_str(), e.what());
    }
  }
}

}  // namespace tenon::pattern
