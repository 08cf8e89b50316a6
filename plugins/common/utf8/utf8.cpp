// Validation of UTF-8, and texts for messages and JSON.
// SPDX-License-Identifier: Apache-2.0
#include "utf8/utf8.h"

#include <algorithm>
#include <cstdint>

#include "tenon/json.hpp"

namespace tenon::utf8 {

size_t length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const size_t left = text.size() - at;
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (lead >= 0xc2 && lead <= 0xdf) return left >= 2 && follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

std::string repaired(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const size_t n = length(bytes, at);
    out += n > 0 ? bytes.substr(at, n) : "\xEF\xBF\xBD";
    at += std::max<size_t>(n, 1);
  }
  return out;
}

std::string excerpt(std::string_view text, size_t begin, size_t size) {
  const auto continues = [&](size_t at) {
    return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80;
  };
  begin = std::min(begin, text.size());
  size_t end = begin + std::min(size, text.size() - begin);
  while (begin < end && continues(begin)) ++begin;
  while (end > begin && continues(end)) --end;
  return (begin > 0 ? "…" : "") + json::quote(repaired(text.substr(begin, end - begin))) +
         (end < text.size() ? "…" : "");
}

}  // namespace tenon::utf8
