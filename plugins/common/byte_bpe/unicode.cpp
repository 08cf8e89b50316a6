// The few facts about UTF-8 that byte-level BPE needs.
// SPDX-License-Identifier: Apache-2.0
#include "byte_bpe/unicode.h"

#include <utf8proc.h>

namespace tenon::bpe {
namespace {

struct ByteAlphabet {
  std::array<uint32_t, 256> code_point{};
  std::array<int16_t, 324> byte{};  // -1 where there is none; the last code point is U+0143

  ByteAlphabet() {
    byte.fill(-1);
    uint32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      const uint32_t point = prints ? static_cast<uint32_t>(b) : next++;
      code_point[static_cast<size_t>(b)] = point;
      byte[point] = static_cast<int16_t>(b);
    }
  }
};

const ByteAlphabet& alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

}  // namespace

uint32_t utf8_code_point(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at + i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return lead;
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | (byte(1) & 0x3f);
  if (lead < 0xf0) return ((lead & 0x0f) << 12) | ((byte(1) & 0x3f) << 6) | (byte(2) & 0x3f);
  return ((lead & 0x07) << 18) | ((byte(1) & 0x3f) << 12) | ((byte(2) & 0x3f) << 6) | (byte(3) & 0x3f);
}

void append_utf8(std::string& text, uint32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

bool is_white_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_word(uint32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return c == 0x200c || c == 0x200d;
  }
}

uint32_t byte_to_code_point(uint8_t byte) {
  return alphabet().code_point[byte];
}

std::optional<std::string> unmap_bytes(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const size_t length = utf8::length(token, at);
    if (length == 0) return std::nullopt;
    const uint32_t point = utf8_code_point(token, at);
    if (point >= alphabet().byte.size() || alphabet().byte[point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(alphabet().byte[point]));
    at += length;
  }
  return bytes;
}

}  // namespace tenon::bpe
