// Where a text is code: fenced blocks and inline spans of Markdown.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::reward_support {

// Bytes [begin, end) of a text, with the marks that begin and end the code.
struct CodeSpan {
  size_t begin, end;
  size_t inner_begin, inner_end;  // without marks, and of a fenced block without its first line
  bool is_fenced;
};

// The code of `text` in order, as CommonMark 0.30 has it (4.5, 6.1), with two differences: a fence that is never
// closed and an inline span that its line does not close are no code, so that neither can hide what follows.
// Fences are ``` or ~~~, three or more, indented by up to three spaces. Time linear in the text but for lines of
// backtick runs of ever different lengths, where it is O(n^1.5).
std::vector<CodeSpan> code_spans(std::string_view text);

// `text` with every byte of code but line breaks replaced by `filler`; offsets stay.
std::string without_code(std::string_view text, char filler = ' ');

}  // namespace tenon::reward_support
