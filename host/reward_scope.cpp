// Where a completion's thinking and its answer are.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_scope.h"

namespace tenon::host {

namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string_view without_answer_tags(std::string_view text) {
  constexpr std::string_view kBegin = "<answer>", kEnd = "</answer>";
  const std::string_view inside = trimmed(text);
  if (!inside.starts_with(kBegin) || !inside.ends_with(kEnd) || inside.size() < kBegin.size() + kEnd.size())
    return text;
  return inside.substr(kBegin.size(), inside.size() - kBegin.size() - kEnd.size());
}

}  // namespace

std::string_view part_of(std::string_view prompt, std::string_view completion, RewardScope scope) {
  if (scope == RewardScope::kWhole) return completion;
  const bool by_prompt = trimmed(prompt).ends_with(kOpen);
  const size_t open = completion.find(kOpen), close = completion.rfind(kClose);
  const bool has_close =
      close != std::string_view::npos && (by_prompt || open == std::string_view::npos || open < close);
  const bool is_opened = by_prompt || open != std::string_view::npos;
  if (scope == RewardScope::kAnswer)
    return has_close   ? without_answer_tags(completion.substr(close + kClose.size()))
           : is_opened ? std::string_view()
                       : without_answer_tags(completion);
  if (!has_close && !is_opened) return {};
  // A tag that repeats the prompt's is none of the thought; a later one is.
  const bool begins =
      open != std::string_view::npos && (!by_prompt || trimmed(completion).starts_with(kOpen));
  const size_t begin = begins ? open + kOpen.size() : 0;
  return completion.substr(begin, (has_close ? close : completion.size()) - begin);
}

}  // namespace tenon::host
