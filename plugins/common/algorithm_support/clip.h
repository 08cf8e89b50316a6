// The bounds of a ratio as options: their table entries, rules and reader, for every algorithm that clips.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <optional>

#include "algorithm_support/text.h"
#include "tenon/algorithm.hpp"

namespace tenon::algorithm_support {

inline constexpr double kNoCap = std::numeric_limits<double>::infinity();

// A ratio stays in [1 − low, 1 + high]; where the advantage is negative, also below cap.
struct Clip {
  double low, high, cap = kNoCap;
};

inline constexpr tenon_option kClipLow =
    number("clip_low", "0.2", "Above 0. The ratio's lower bound is 1 − this; from 1 on it never binds.",
           {.min = "0"});
inline constexpr tenon_option kClipHigh =
    number("clip_high", "0.2", "Above 0. The ratio's upper bound is 1 + this (DAPO 0.28, DeepSeek-R1 10).",
           {.min = "0"});
inline constexpr tenon_option kDualClip =
    number("dual_clip", nullptr,
           "Above 1. Upper bound of the ratio where the advantage is negative (arXiv 1912.09729; verl 3); "
           "absent: none.",
           {.min = "1"});

// The rules of kClipLow and kClipHigh.
inline void check_clip(const Host& host, Findings& findings) {
  for (const char* bound : {"clip_low", "clip_high"})
    if (host.f64(bound) == 0)
      findings.error(bound,
                     std::string(bound) +
                         " is 0, but must be above 0: it would leave no room for the ratio to move. The "
                         "usual value is 0.2");
}

// That of kDualClip: c > 1, as in the paper (arXiv 1912.09729, eq. 5). It does not depend on clip_high, which binds where the advantage is positive.
inline void check_dual_clip(const Host& host, Findings& findings) {
  if (const auto cap = host.f64_if("dual_clip"); cap && *cap <= 1)
    findings.error("dual_clip", "dual_clip is " + number_text(*cap) +
                                    ", but must be above 1: every token of a negative advantage would be cut "
                                    "on-policy. verl's value is 3; leave it out for no such bound");
}

// cap: what the algorithm read of its dual_clip, if it has one.
inline Clip read_clip(const Host& host, std::optional<double> cap = std::nullopt) {
  return {host.f64("clip_low"), host.f64("clip_high"), cap.value_or(kNoCap)};
}

}  // namespace tenon::algorithm_support
