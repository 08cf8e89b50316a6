// Text of others, for the terminal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::host {

// `text` as it may be sent to a terminal: what a model, a server or a file wrote must not command the terminal, nor show itself in another order than it has.
// Control characters but line breaks and tabs become \x1b, C1 controls and Unicode's Bidi_Control \u009b; everything else stays as it is.
std::string shown_text(std::string_view text);

}  // namespace tenon::host
