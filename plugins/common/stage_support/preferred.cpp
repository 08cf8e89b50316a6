// Rows that say which completion of a prompt is better.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/preferred.h"

#include "tenon/json.hpp"

namespace tenon::stages {
namespace {

std::vector<std::string> texts_of(std::string_view list, const std::string& field) {
  if (!list.starts_with('[')) throw Error(TENON_E_INVALID, "field \"" + field + "\" is not a list");
  std::vector<std::string> out;
  for (const std::string_view one : json::elements(list)) {
    if (!one.starts_with('"'))
      throw Error(TENON_E_INVALID, "field \"" + field + "\" has an element that is not a text");
    out.push_back(json::detail::Scanner{one}.string());
  }
  if (out.size() < 2)
    throw Error(TENON_E_INVALID, "field \"" + field + "\" has " + std::to_string(out.size()) +
                                     " completions: a ranking has two at least");
  return out;
}

}  // namespace

std::optional<std::vector<std::string>> best_first(const Row& row, const std::string& rejected,
                                                   const std::string& ranked) {
  if (const auto list = json::raw_field(row.meta_json, ranked)) return texts_of(*list, ranked);
  const auto worse = row.meta(rejected);
  if (!worse) return std::nullopt;
  if (row.completion.empty())
    throw Error(TENON_E_INVALID,
                "there is a field \"" + rejected + "\", and no completion that is better than it");
  return std::vector{row.completion, *worse};
}

}  // namespace tenon::stages
