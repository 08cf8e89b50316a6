// Where the answer is in a text. All are linear scans without backtracking; nothing means that there is no
// answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenon::answer_text {

// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);

// What follows the last `tag`, trimmed; nothing if there is no tag or only white space follows.
std::optional<std::string_view> after_last(std::string_view text, std::string_view tag);

// What the last complete pair of `open` and `close` encloses, trimmed: from the last `close` back to the
// nearest `open` before it.
std::optional<std::string_view> between_last(std::string_view text, std::string_view open,
                                             std::string_view close);

// The first line after the last "####" (GSM8K's form), trimmed.
std::optional<std::string_view> after_hash(std::string_view text);

// The content of the last \boxed{…} or \fbox{…} whose braces balance ("\{" and "\}" do not count), trimmed;
// also "\boxed 5" up to white space or "$".
std::optional<std::string_view> last_boxed(std::string_view text);

// The last number as it is written: optional sign (not where it is the minus of "5-3"), digits with thousands
// commas, decimals, fraction ("3/4") and percent sign. A full stop that ends the sentence is not part of it.
std::optional<std::string_view> last_number(std::string_view text);

// What a task writes around its answers.
struct Marks {
  std::string open, close;  // of between-tags
  std::string tag;          // of after-tag
};

// One of the above by its name in the option `extract` of rewards: after-tag, between-tags, after-hash, boxed, last-number, and whole
// (the text, trimmed; nothing if it is empty). Throws std::invalid_argument for another name.
std::optional<std::string_view> find_answer(std::string_view how, std::string_view text, const Marks& marks);

}  // namespace tenon::answer_text
