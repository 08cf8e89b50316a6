// One character at a time out of any bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::math_answer {

struct Character {
  char32_t code = 0;  // 0xfffd for a byte that starts no well-formed character
  size_t length = 1;
};

// The character at text[at]; at < text.size().
inline Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return {0xfffd, 1};
  char32_t code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {0xfffd, 1};
    code = (code << 6) | (byte(at + i) & 0x3f);
  }
  return {code, length};
}

}  // namespace tenon::math_answer
