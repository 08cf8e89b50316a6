// Questions out of rows, a batch out of answers.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/sampled.h"

#include <cstdio>
#include <limits>

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

void throw_if_unwell(const std::vector<Answered>& answers, bool are_kept) {
  size_t missing = 0;
  const Answered* first = nullptr;
  for (const Answered& one : answers)
    if (one.failure != http::Failure::kNone && !one.is_unanswerable() && ++missing == 1) first = &one;
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

// A completion that is not there.
void push_missing(stages::Sampled& out, const std::vector<std::string>& reward_names) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  out.rollout.valid.back() = 0;
  out.earned.push_back(kNone), out.first.push_back(kNone);
  out.terms.resize(reward_names.size()), out.reward_names = reward_names;
  for (std::vector<double>& term : out.terms) term.push_back(kNone);
}

}  // namespace

void Unanswered::add(uint64_t n, const std::string& first) {
  count_ += n;
  host_.metric("unanswered", static_cast<double>(count_));
  if (n == 0) return;
  const std::string what = std::to_string(count_) + " of " + std::to_string(questions_) +
                           " questions have no answer from the server; of this step " + std::to_string(n) +
                           ", first: " + first;
  if (static_cast<double>(count_) <= most_ * static_cast<double>(questions_)) {
    host_.warn(what);
    return;
  }
  char most[32];
  std::snprintf(most, sizeof most, "%g", most_);
  throw Error(TENON_E_INVALID,
              what + ". That is more than max_unanswered = " + most +
                  " of them. Leave such rows out (data set filter), or raise max_unanswered");
}

stages::Sampled sample(const Host& host, const tenon_call* call, const ChatServer& server,
                       const std::vector<Row>& rows, uint64_t per_row, uint64_t first_id,
                       const Asking& asking, const stages::RewardList& rewards, Unanswered& unanswered,
                       KeptAnswers* kept) {
  std::vector<Question> questions;
  for (const Row& row : rows)
    for (uint64_t k = 0; k < per_row; ++k)
      questions.push_back({messages_of(row), first_id + questions.size(), nullptr});
  stages::Sampled had;  // what rewards are shown
  std::vector<Answered> answers;
  const auto push = [&](stages::Sampled& out, size_t i) {
    const Reply& reply = answers[i].reply;
    const Row& row = rows[i / per_row];
    out.rollout.push({}, {}, {}, first_id + i / per_row * per_row, first_id + i, reply.finish);
    out.prompts.push(shown_prompt(row)), out.completions.push(completion_of(reply));
    out.meta.push(row.meta_json), out.row_index.push_back(row.index);
    out.prompt_tokens.push_back(reply.prompt_tokens.value_or(stages::Sampled::kUnknownTokens));
    out.completion_tokens.push_back(reply.completion_tokens.value_or(stages::Sampled::kUnknownTokens));
  };
  {
    Timed timed(host, "rollout");
    answers = server.ask(call, questions, asking, kept);
    throw_if_unwell(answers, kept != nullptr);
    uint64_t missing = 0;
    std::string first;
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].failure == http::Failure::kNone) {
        const Reply& reply = answers[i].reply;
        if (!reply.prompt_tokens || !reply.completion_tokens) server.warn_of_uncounted();
        push(had, i);
        continue;
      }
      answers[i].reply = {"", "", TENON_FINISH_STOP, 0, 0};
      if (missing++ == 0) first = "row " + stages::place_of(rows[i / per_row]) + ": " + answers[i].why;
    }
    unanswered.add(missing, first);
  }
  Timed timed(host, "reward");
  if (had.rollout.size() > 0) rewards.score(call, had);
  if (had.rollout.size() == answers.size()) return had;
  stages::Sampled out;
  for (size_t i = 0, next = 0; i < answers.size(); ++i)
    if (answers[i].failure == http::Failure::kNone)
      out.push(had, next++);
    else
      push(out, i), push_missing(out, rewards.names());
  return out;
}

}  // namespace tenon::chat_server
