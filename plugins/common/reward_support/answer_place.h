// Where in a completion a reward finds the answer that it judges: the options `extract`, `region`, `open`, `close` and `tag`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "answer_text/extract.h"
#include "reward_support/region.h"

namespace tenon::reward_support {

class AnswerPlace {
 public:
  explicit AnswerPlace(const Host& host)
      : extract_(host.str("extract")),
        marks_{host.str("open"), host.str("close"), host.str("tag")},
        region_(host) {}

  // For a component's `check`: marks that `extract` does not look for, that are empty, or that `region` cuts away.
  static void check(const Host& host, Findings& findings) {
    const bool tag = host.str("extract") == "after-tag", tags = host.str("extract") == "between-tags";
    if (!tag) findings.no_effect("tag", "only extract: after-tag looks for it");
    for (const char* option : {"open", "close"})
      if (!tags) findings.no_effect(option, "only extract: between-tags looks for it");
    for (const char* option : {"tag", "open", "close"})
      if (host.str(option).empty())
        findings.error(option, "is empty: give the text that stands beside the answer");
    if (tag) Region::check(host, "tag", findings);
  }

  const std::string& extract() const { return extract_; }
  const answer_text::Marks& marks() const { return marks_; }
  // The part of the completion that `region` names.
  std::string_view region(const Sample& sample) const { return region_.of(sample); }
  // The answer in it, trimmed; nothing if there is none. For each `extract` that answer_text::find_answer knows.
  std::optional<std::string_view> find(const Sample& sample) const {
    return answer_text::find_answer(extract_, region(sample), marks_);
  }

 private:
  std::string extract_;
  answer_text::Marks marks_;
  Region region_;
};

}  // namespace tenon::reward_support
