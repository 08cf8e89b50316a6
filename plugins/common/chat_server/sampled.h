// Completions of a server's model, as those that a stage samples itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chat_server/chat_server.h"
#include "stage_support/sampled.h"

namespace tenon::chat_server {

// per_row completions of each row, neighbours, judged by `rewards`; sample i has the id, and the server is asked with the seed, first_id + i. What the server gives as thought is put before
// the answer, in <think> tags. Texts in, texts out: `rollout` has no tokens, and their numbers are in prompt_tokens and completion_tokens. Records the timings `rollout` and `reward`. Throws
// TENON_E_TRANSIENT if one question has no answer after all attempts, as one that is missing is neither right nor wrong.
stages::Sampled sample(const Host& host, const tenon_call* call, const ChatServer& server,
                       const std::vector<Row>& rows, uint64_t per_row, uint64_t first_id,
                       const Asking& asking, const stages::RewardList& rewards, KeptAnswers* kept = nullptr);

}  // namespace tenon::chat_server
