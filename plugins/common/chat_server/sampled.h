// Completions of a server's model, as those that a stage samples itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chat_server/chat_server.h"
#include "stage_support/sampled.h"
#include "tenon/state.hpp"

namespace tenon::chat_server {

// Questions of a stage that its server gives no answer to (Answered::is_unanswerable): how many there were, and the bound of the option max_unanswered.
class Unanswered {
 public:
  explicit Unanswered(const Host& host) : host_(host), most_(host.f64("max_unanswered")) {}
  // How many questions the stage has in all. Before `add`.
  void of(uint64_t questions) { questions_ = questions; }
  // Counts `n` of a step and records the metric `unanswered`, their number so far. Warns of them, and throws TENON_E_INVALID where that are too many; first: the row of the first, and why.
  void add(uint64_t n, const std::string& first);
  void save(Writer& w) const { w.value(count_); }
  void load(Reader& r) { count_ = r.value<uint64_t>(); }

 private:
  Host host_;
  double most_;
  uint64_t questions_ = 0, count_ = 0;
};

inline constexpr tenon_option kMaxUnansweredOption =
    number("max_unanswered", "0.1",
           "With a server: the share of all questions that it may refuse, as too long or not allowed, or "
           "answer with nothing of use. They are counted as not judged; more end the stage.",
           {.min = "0", .max = "1"});

// per_row completions of each row, neighbours, judged by `rewards`; sample i has the id, and the server is asked with the seed, first_id + i. What the server gives as thought is put before
// the answer, in <think> tags. Texts in, texts out: `rollout` has no tokens, and their numbers are in prompt_tokens and completion_tokens. A question that the server does not answer has an empty
// completion that no reward was shown and that is not valid; `unanswered` counts it. Records the timings `rollout` and `reward`. Throws TENON_E_TRANSIENT if the server is not well after all attempts.
stages::Sampled sample(const Host& host, const tenon_call* call, const ChatServer& server,
                       const std::vector<Row>& rows, uint64_t per_row, uint64_t first_id,
                       const Asking& asking, const stages::RewardList& rewards, Unanswered& unanswered,
                       KeptAnswers* kept = nullptr);

}  // namespace tenon::chat_server
