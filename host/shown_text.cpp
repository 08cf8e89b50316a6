// Which characters command a terminal.
// SPDX-License-Identifier: Apache-2.0
#include "host/shown_text.h"

#include <cstdint>

namespace tenon::host {
namespace {

// The code point of 2 or 3 bytes that `text`, which is UTF-8, begins with; 0: one byte, or four.
uint32_t short_code_point(std::string_view text) {
  const auto bits = [&](size_t at, unsigned mask) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) & mask : 0u;
  };
  const unsigned first = bits(0, 0xff);
  if (first >= 0xc2 && first < 0xe0) return (first & 0x1f) << 6 | bits(1, 0x3f);
  if (first >= 0xe0 && first < 0xf0) return (first & 0xf) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f);
  return 0;
}

// C1 controls, and what changes the direction in which text is shown (Unicode's Bidi_Control).
bool commands_terminal(uint32_t code) {
  return (code >= 0x80 && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
         (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::string hexadecimal(uint32_t number, int digits) {
  std::string out;
  while (digits-- > 0) out += "0123456789abcdef"[number >> 4 * digits & 15];
  return out;
}

}  // namespace

std::string shown_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] != '\n' && text[i] != '\t' && (byte < 0x20 || byte == 0x7f)) {
      out += "\\x" + hexadecimal(byte, 2);
    } else if (const uint32_t code = short_code_point(text.substr(i)); commands_terminal(code)) {
      out += "\\u" + hexadecimal(code, 4);
      i += code < 0x800 ? 1 : 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace tenon::host
