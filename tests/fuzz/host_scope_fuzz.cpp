// libFuzzer target over scopes: thought and answer lie apart and in order inside the completion, lose nothing but tags and blanks, and are the same whether the
// prompt or the completion has the first tag. The first byte chooses the prompt.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "host/reward_scope.h"

namespace {

using tenon::host::part_of;
using tenon::host::RewardScope;

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

void require(bool holds) {
  if (!holds) std::abort();
}

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

bool is_inside(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> before;
  return part.empty() || (before(whole.data(), part.data()) &&
                          before(part.data() + part.size(), whole.data() + whole.size()));
}

void check(std::string_view prompt, std::string_view completion) {
  require(part_of(prompt, completion, RewardScope::kWhole).data() == completion.data());
  const std::string_view think = part_of(prompt, completion, RewardScope::kThink),
                         answer = part_of(prompt, completion, RewardScope::kAnswer);
  require(is_inside(think, completion) && is_inside(answer, completion));
  require(!has(answer, kClose));
  if (!think.empty() && !answer.empty()) {
    require(think.data() + think.size() <= answer.data());
    const std::string_view between(think.data() + think.size(),
                                   static_cast<size_t>(answer.data() - think.data()) - think.size());
    require(between.starts_with(kClose));
  }
  if (!has(completion, kOpen) && !has(completion, kClose)) {
    const bool is_opened = prompt.ends_with(kOpen);
    require(is_opened ? answer.empty() && think == completion : think.empty());
    if (!is_opened && !has(completion, "answer>")) require(answer == completion);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view completion(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string opened = std::string("Why? ") + std::string(kOpen),
                    written = std::string(kOpen) + std::string(completion);
  check(data[0] % 2 == 0 ? "Why?" : opened, completion);
  for (RewardScope scope : {RewardScope::kThink, RewardScope::kAnswer})
    require(part_of(opened, written, scope) == part_of("Why?", written, scope));
  require(part_of(opened, completion, RewardScope::kAnswer) ==
          part_of("Why?", written, RewardScope::kAnswer));
  return 0;
}
