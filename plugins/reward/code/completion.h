// Where the program is in what the policy wrote.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::code {

// The completion after its last "</think>". Without one: nothing of a completion that begins with "<think>", all of another.
std::string_view after_thought(std::string_view completion);

struct Block {
  std::string language;  // the first word after the fence, lower case; may be empty
  std::string code;
};
// The last fenced code block (``` or ~~~) whose language is among `languages`; without one the last whose language is not said, for beside the program
// that is often an example of what it prints. A block that is not closed ends with the text.
std::optional<Block> last_block(std::string_view text, const std::vector<std::string_view>& languages);

// A continuation of a prompt that ends inside a function, up to where something new begins at the left margin: the stop sequences of Codex
// ("\nclass", "\ndef", "\n#", "\nif", "\nprint"; Chen et al. 2021, section 2.1), a fence, and for C++ the closing brace of the function.
std::string_view until_function_ends(std::string_view text, bool python);

}  // namespace tenon::code
