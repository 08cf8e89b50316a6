// A regular expression that completions are searched for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tenon::evaluate {

class Pattern {
 public:
  // PCRE2, UTF-8, `.` matches newlines. Throws TENON_E_INVALID naming the place of a mistake.
  explicit Pattern(const std::string& regex);
  // Whether it occurs in the text. Throws TENON_E_INVALID if the search needs too many steps; a text that is not UTF-8 does not match.
  bool in(std::string_view text) const;

 private:
  std::string regex_;
  std::shared_ptr<void> code_;
};

}  // namespace tenon::evaluate
