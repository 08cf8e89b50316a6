// Questions out of rows, a batch out of answers.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/sampled.h"

namespace tenon::chat_server {
namespace {

// What rewards are shown as the prompt.
std::string shown_prompt(const Row& row) {
  if (row.messages_json.empty()) return row.prompt;
  std::string out;
  for (std::string_view message : json::elements(row.messages_json))
    out += (out.empty() ? "" : "\n") + json::text_field(message, "content").value_or("");
  return out;
}

std::string completion_of(const Reply& reply) {
  return reply.thought.empty() ? reply.text : "<think>" + reply.thought + "</think>" + reply.text;
}

void throw_if_missing(const std::vector<Answered>& answers, bool are_kept) {
  size_t missing = 0;
  const Answered* first = nullptr;
  for (const Answered& one : answers)
    if (one.failure != http::Failure::kNone && ++missing == 1) first = &one;
  if (missing == 0) return;
  const size_t had = are_kept ? answers.size() - missing : 0;
  throw Error(
      TENON_E_TRANSIENT,
      std::to_string(missing) + " of " + std::to_string(answers.size()) +
          " completions could not be had from the server, first: " + first->why + ". " +
          (had == 0 ? std::string()
                    : "The " + std::to_string(had) + " that came are kept and not asked for again. ") +
          "Go on with `tenon resume` when it is well");
}

}  // namespace

stages::Sampled sample(const Host& host, const tenon_call* call, const ChatServer& server,
                       const std::vector<Row>& rows, uint64_t per_row, uint64_t first_id,
                       const Asking& asking, const stages::RewardList& rewards, KeptAnswers* kept) {
  std::vector<Question> questions;
  for (const Row& row : rows)
    for (uint64_t k = 0; k < per_row; ++k)
      questions.push_back({messages_of(row), first_id + questions.size(), nullptr});
  stages::Sampled out;
  {
    Timed timed(host, "rollout");
    const std::vector<Answered> answers = server.ask(call, questions, asking, kept);
    throw_if_missing(answers, kept != nullptr);
    for (size_t i = 0; i < answers.size(); ++i) {
      const Reply& reply = answers[i].reply;
      const Row& row = rows[i / per_row];
      if (!reply.prompt_tokens || !reply.completion_tokens) server.warn_of_uncounted();
      out.rollout.push({}, {}, {}, first_id + i / per_row * per_row, first_id + i, reply.finish);
      out.prompts.push(shown_prompt(row)), out.completions.push(completion_of(reply));
      out.meta.push(row.meta_json), out.row_index.push_back(row.index);
      out.prompt_tokens.push_back(reply.prompt_tokens.value_or(stages::Sampled::kUnknownTokens));
      out.completion_tokens.push_back(reply.completion_tokens.value_or(stages::Sampled::kUnknownTokens));
    }
  }
  Timed timed(host, "reward");
  rewards.score(call, out);
  return out;
}

}  // namespace tenon::chat_server
