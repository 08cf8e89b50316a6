// A regular expression that completions are searched for, and the list of named ones that stages have as an option.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/host.hpp"
#include "tenon/options.hpp"

namespace tenon::pattern {

class Pattern {
 public:
  // PCRE2, UTF-8, `.` matches newlines. Throws TENON_E_INVALID naming the place of a mistake.
  explicit Pattern(const std::string& regex);
  // Whether it occurs in the text. Throws TENON_E_INVALID if the search needs too many steps; a text that is not UTF-8 does not match.
  bool in(std::string_view text) const;
  // What the first group took at the last place where it occurs, or all that was found there if the expression has no group; nothing: it does not occur, or
  // the group took no part. Throws as `in` does.
  std::optional<std::string> last_capture(std::string_view text) const;

 private:
  // A search from byte `from` on; false: it does not occur. `data` is a pcre2_match_data.
  bool search(std::string_view text, size_t from, void* data) const;

  std::string regex_;
  std::shared_ptr<void> code_;
};

struct NamedPattern {
  std::string name;
  Pattern pattern;
};

// The elements of the option `option`, a list of {name, regex} (kPatternChildren). Throws as Pattern does.
std::vector<NamedPattern> read_patterns(const Host& host, const std::string& option);

// For a component's `check`: regular expressions that cannot be read, names that stand there twice, and such that are among `reserved` (with what they mean).
void check_patterns(const Host& host, const std::string& option, std::span<const std::string_view> reserved,
                    const std::string& reserved_for, Findings& findings);

inline constexpr tenon_option kPatternOptions[] = {
    text("name", nullptr, "Name of the number in the results.", {.flags = TENON_O_REQUIRED}),
    text("regex", nullptr, "PCRE2 regular expression, searched for in the completion; `.` matches newlines.",
         {.flags = TENON_O_REQUIRED})};
inline constexpr const tenon_option* kPatternChildren[] = {&kPatternOptions[0], &kPatternOptions[1], nullptr};

}  // namespace tenon::pattern
