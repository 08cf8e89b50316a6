// Where the last block of thought ends.
// SPDX-License-Identifier: Apache-2.0
#include "reward_support/think_tags.h"

namespace tenon::reward_support {
namespace {

using std::string_view;
constexpr string_view kOpen = "<think>", kClose = "</think>";

bool ends_in_open_tag(string_view prompt) {
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != string_view::npos && prompt.substr(0, end + 1).ends_with(kOpen);
}

}  // namespace

string_view answer_part(string_view prompt, string_view completion) {
  const size_t open = completion.find(kOpen), close = completion.rfind(kClose);
  const bool has_open = open != string_view::npos;
  if (close != string_view::npos && (!has_open || open < close))
    return completion.substr(close + kClose.size());
  return has_open || ends_in_open_tag(prompt) ? string_view() : completion;
}

string_view thought_part(string_view completion) {
  return completion.substr(0, completion.rfind(kClose));
}

}  // namespace tenon::reward_support
