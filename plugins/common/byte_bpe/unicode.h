// The few facts about UTF-8 that byte-level BPE needs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "utf8/utf8.h"

namespace tenon::bpe {

// The code point at text[at], which must start a valid sequence.
uint32_t utf8_code_point(std::string_view text, size_t at);

void append_utf8(std::string& text, uint32_t code_point);

bool is_white_space(uint32_t code_point);  // Unicode's White_Space
bool is_word(uint32_t code_point);  // \w: letters, marks, decimal and letter numbers, connectors, joiners

// GPT-2's alphabet: bytes that print stand for themselves (0x21-0x7E, 0xA1-0xAC, 0xAE-0xFF), the other 68 are
// U+0100, U+0101, ... in order. So a space is U+0120, a newline U+010A.
uint32_t byte_to_code_point(uint8_t byte);

// A token in GPT-2's alphabet as bytes; nothing when a character is not of the alphabet.
std::optional<std::string> unmap_bytes(std::string_view token);

}  // namespace tenon::bpe
