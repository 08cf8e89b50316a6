// The parts of a completion that thinks in <think>…</think>.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::reward_support {

// As the attribute `scope` of a reward in a list cuts them. A block is open if the completion has <think>, or the prompt ends in it.
//
// What follows the last </think>. Thinking that does not end leaves no answer: empty. A completion without tags is all answer.
std::string_view answer_part(std::string_view prompt, std::string_view completion);

// What stands before the last </think>, also before <think>: what is written there is no answer. Thinking that does not end, and a completion
// without tags: all of it.
std::string_view thought_part(std::string_view completion);

}  // namespace tenon::reward_support
