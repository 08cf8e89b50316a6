// Validation of UTF-8, and texts for messages and JSON.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tenon::utf8 {

// The length of the valid sequence at text[at], at < text.size() (1 to 4; RFC 3629: no surrogates, no overlong forms, up to U+10FFFF), or 0 when there is
// none.
size_t length(std::string_view text, size_t at);

// `bytes` with U+FFFD in the place of each byte that is in no valid sequence.
std::string repaired(std::string_view bytes);

// The characters that lie whole in text[begin, begin + size), as a JSON string, so that a newline is \n and the rest of a line can follow; "…" where
// something of the text is left out. For messages.
std::string excerpt(std::string_view text, size_t begin, size_t size);

}  // namespace tenon::utf8
