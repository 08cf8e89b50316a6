// Rows that say which completion of a prompt is better.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenon/dataset.hpp"
#include "tenon/options.hpp"

namespace tenon::stages {

// The completions of a row, best first: the texts of its meta field `ranked`, or the row's completion and the one in its meta field `rejected`; nothing if it has
// neither field. Throws TENON_E_INVALID with the reason alone: a list that is none, or holds anything but texts, or fewer than two; a pair without the better one.
std::optional<std::vector<std::string>> best_first(const Row& row, const std::string& rejected,
                                                   const std::string& ranked);

inline constexpr tenon_option kRejectedOption =
    text("rejected", "\"rejected\"",
         "Field of the row's meta with the completion that is worse than the row's own.");
inline constexpr tenon_option kRankedOption =
    text("ranked", "\"ranked\"", "Field of the row's meta with a list of completions, best first.");

}  // namespace tenon::stages
