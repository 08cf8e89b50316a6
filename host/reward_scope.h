// The part of a completion that a reward of a list is shown: all of it, its thinking, or its answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::host {

enum class RewardScope { kWhole, kThink, kAnswer };

// A completion's thinking and its answer, as DeepSeek-R1's template has them. The answer is what follows the last </think>, an <answer> or </answer> tag around it
// left out; the thinking is what stands before that, from behind the first <think> or, where the prompt ends in <think>, from the beginning. Thinking that does not end
// leaves no answer; a completion without either tag, after a prompt that opens none, is all answer.
std::string_view part_of(std::string_view prompt, std::string_view completion, RewardScope scope);

}  // namespace tenon::host
