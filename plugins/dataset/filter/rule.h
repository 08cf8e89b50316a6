// What one part of a row must be like.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "language/detector.h"
#include "pattern/pattern.h"
#include "tenon/dataset.hpp"

namespace tenon::filter {

inline constexpr tenon_option kRuleOptions[] = {
    text("name", nullptr, "The reason that is counted for the rows it leaves out.",
         {.flags = TENON_O_REQUIRED}),
    text("part", "\"prompt\"",
         "What it looks at: prompt (of a chat all messages), completion, or a field of the meta by name or "
         "path. A "
         "row without it is left out."),
    text("matches", nullptr, "PCRE2 regular expression that must occur; `.` matches newlines."),
    text("lacks", nullptr, "PCRE2 regular expression that must not occur."),
    integer("min_words", nullptr, "Fewest words. In scripts without spaces a character is one.",
            {.min = "0", .unit = "words"}),
    integer("max_words", nullptr, "Most words.", {.min = "0", .unit = "words"}),
    number("min", nullptr, "Least value of a number."),
    number("max", nullptr, "Greatest value of a number."),
    text("languages", nullptr,
         "Codes of ISO 639-1, `en` or `zh`: the prose must be in one of them. Too little prose to tell is "
         "none.",
         {.flags = TENON_O_LIST})};
inline constexpr const tenon_option* kRuleChildren[] = {
    &kRuleOptions[0], &kRuleOptions[1], &kRuleOptions[2], &kRuleOptions[3], &kRuleOptions[4],
    &kRuleOptions[5], &kRuleOptions[6], &kRuleOptions[7], &kRuleOptions[8], nullptr};

class Rule {
 public:
  // The element at `path` ("rules.0").
  Rule(const Host& host, const std::string& path);
  static void check(const Host& host, const std::string& path, Findings& findings);

  const std::string& name() const { return name_; }
  bool holds(const Row& row) const;

 private:
  bool words_are_as_many(const std::string& text) const;
  bool is_in_range(const std::string& text) const;
  bool is_in_a_language(const std::string& text) const;

  std::string name_, part_;
  std::optional<pattern::Pattern> matches_, lacks_;
  std::optional<int64_t> min_words_, max_words_;
  std::optional<double> min_, max_;
  std::vector<language::Language> languages_;
};

}  // namespace tenon::filter
