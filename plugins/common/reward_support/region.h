// Where a reward that looks for an answer looks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "reward_support/think_tags.h"
#include "tenon/host.hpp"
#include "tenon/options.hpp"
#include "tenon/reward.hpp"

namespace tenon::reward_support {

inline constexpr const char* kRegions[] = {"answer", "whole", nullptr};
inline constexpr tenon_option kRegionOption =
    choice("region", kRegions, "\"answer\"",
           "Where it looks: answer: behind the last </think>, nowhere as long as thinking does not end, and "
           "in all of a completion that does not "
           "think; whole: everywhere, in thoughts as well.");

// The option kRegionOption, read.
class Region {
 public:
  explicit Region(const Host& host) : is_answer_(host.str("region") == "answer") {}
  std::string_view of(const Sample& sample) const {
    return is_answer_ ? answer_part(sample.prompt, sample.completion) : sample.completion;
  }
  // For a component's `check`: the mark in `option` that an answer is looked for behind is not cut away.
  static void check(const Host& host, const char* option, Findings& findings) {
    if (host.str("region") == "answer" && host.str(option).find("</think>") != std::string::npos)
      findings.error(option,
                     "region: answer begins behind </think>, where this is not found: give extract: whole, "
                     "or region: whole");
  }

 private:
  bool is_answer_;
};

}  // namespace tenon::reward_support
