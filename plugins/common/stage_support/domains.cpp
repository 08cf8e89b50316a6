// Names made of texts out of data.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/domains.h"

#include <algorithm>
#include <cstdio>

#include "utf8/utf8.h"

namespace tenon::stages {
namespace {

constexpr size_t kLongest = 100, kBeginning = 64;  // bytes

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// In quotes, and so told from a text that needs none: such a text does not begin with a quote (name_part).
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : json::quote(text)) out += c == 0x7f ? std::string("\\u007f") : std::string(1, c);
  return out;
}

std::string hash_of(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(h));
  return digits;
}

}  // namespace

std::string name_part(std::string_view text) {
  if (text.size() > kLongest) {
    const std::string beginning = quoted(utf8::repaired(text.substr(0, kBeginning)));
    return beginning.substr(0, beginning.size() - 1) + "…\" #" + hash_of(text);
  }
  const bool is_plain =
      !text.empty() && text.front() != '"' && std::none_of(text.begin(), text.end(), is_control);
  return is_plain ? std::string(text) : quoted(text);
}

std::string domain_name(const std::optional<std::string>& value) {
  constexpr const char* kNone = "(none)";
  if (!value) return kNone;
  return value->find(kNone) == std::string::npos ? name_part(*value) : quoted(*value);
}

}  // namespace tenon::stages
