// What of a completion is language, and not formulas, code, tags or addresses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::language {

struct Prose {
  std::string text;
  // Plain words of four ASCII letters or more that were left out, with spaces between them: of formulas, inline code, tags, addresses and commands that
  // mathematics does not know. Each may be a name; many of them are prose in that dress.
  std::string names;
};

// The prose of a text (UTF-8): without Markdown code, formulas ($…$, $$…$$, \(…\), \[…\], \boxed{…}, the environments of
// formulas), LaTeX commands, tags <name> and </name>, and addresses (https://…, www.…). What is left out becomes white space.
//
// Language that stands inside of them is prose and stays: \text{…} and its like in formulas; comments and quoted texts of three plain words in fenced code; in all of
// them words with letters beyond ASCII, and runs of plain words (three in a formula or inline code, five in a fenced block). So prose
// cannot be hidden by putting it between dollars or backticks. A "$" opens a formula where TeX-minded Markdown has it: no space
// behind it, and the closing one has none before it and no digit behind it, all in one paragraph ("$5 and $10" are prices).
Prose prose_of(std::string_view text);

}  // namespace tenon::language
