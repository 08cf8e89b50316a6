// A model behind an OpenAI-compatible server: many questions at once, answers that are kept.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "chat_server/kept_answers.h"
#include "http/options.h"
#include "tenon/stage.hpp"

namespace tenon::chat_server {

// How answers are drawn.
struct Asking {
  double temperature, top_p;  // top_p 0: left to the server
  int64_t max_tokens;
};

struct Question {
  std::string messages_json;  // a list of {role, content}
  uint64_t seed;
  // Why an answer is of no use, so that it is asked for again; nothing: it is fine. May be empty.
  std::function<std::optional<std::string>(const Reply&)> fault;
};

// The answer to a question, or why there is none (http::Result).
struct Answered {
  http::Failure failure = http::Failure::kNone;
  std::string why;
  Reply reply;
  bool was_kept = false;  // it was had from `kept`, not from the server
  uint32_t status = 0;    // of the last attempt; 0: no answer came

  // Whether it is the question that has no answer (too long, not allowed, all answers of no use), not the server that is not well.
  bool is_unanswerable() const;
};

// Reads the body of an answer: the first of `choices`. Throws Error for what is no chat completion, has neither a text nor a thought, or ended for another reason than that the model was through or
// cut (content_filter, tool_calls). One without `usage` is one whose tokens are not known.
Reply read_reply(std::string_view body);

// A row's chat; its prompt as one turn of the user.
std::string messages_of(const Row& row);

// Asks <url>/chat/completions. [one thread]
class ChatServer {
 public:
  // Reads the options below `at` ("server."); asks once whether somebody is there (`probe`).
  explicit ChatServer(const Host& host, const std::string& at = "server.");
  static void check(const Host& host, Findings& findings, const std::string& at = "server.");

  const std::string& model() const { return model_; }
  // Answers to all questions, in their order; equal ones are asked once. One whose answer is of no use is asked again with another seed, `attempts` times in all. With `kept`: those that it has are
  // not asked again, and each answer is added to it as it comes. Throws TENON_E_CANCELLED where the call is cancelled; a Ctrl-C is not that before the step ends (abi.h).
  std::vector<Answered> ask(const tenon_call* call, std::span<const Question> questions, const Asking& asking,
                            KeptAnswers* kept = nullptr) const;
  // For whoever counts tokens, of an answer that does not say them. The first time only.
  void warn_of_uncounted() const;

 private:
  std::string body_of(const Question& question, const Asking& asking, uint32_t attempt) const;
  void ask_once(const tenon_call* call, std::span<const Question> questions, const Asking& asking,
                uint32_t attempt, std::span<const size_t> open, std::vector<Answered>& out,
                KeptAnswers* kept) const;

  Host host_;
  std::string at_;
  http::Endpoint endpoint_;
  http::Client client_;
  std::string model_;
  mutable bool warned_ = false;
};

inline constexpr OptionTable kServerChildren{
    http::kUrl,
    text("model", nullptr, "The model's name there, and in what is written of it.",
         {.flags = TENON_O_REQUIRED}),
    http::kHeaders,
    http::kTokenEnv,
    http::kProbe,
    option(TENON_T_DURATION, "timeout", "\"10m\"", "Of one attempt, to the last byte of its answer."),
    http::kConnectTimeout,
    http::kAttempts,
    http::kBackoff,
    http::kConcurrency,
    http::kProxy,
    http::kCaFile,
    http::kVerify};

}  // namespace tenon::chat_server
