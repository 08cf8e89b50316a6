// Asking <url>/chat/completions.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/chat_server.h"

#include <cstdio>

#include "utf8/utf8.h"

namespace tenon::chat_server {
namespace {

std::string_view wanted(std::string_view object, const char* field) {
  const auto raw = json::raw_field(object, field);
  if (!raw) throw Error(TENON_E_INVALID, std::string("the answer has no field ") + field);
  return *raw;
}

std::string number_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}

std::string path_of(const http::Endpoint& endpoint, const char* below) {
  return endpoint.url.target + (endpoint.url.target.ends_with('/') ? "" : "/") + below;
}

// The first of two names under which servers give what a model thought.
std::string thought_of(std::string_view message) {
  for (const char* field : {"reasoning_content", "reasoning"})
    if (const auto thought = json::text_field(message, field); thought && !thought->empty()) return *thought;
  return "";
}

}  // namespace

Reply read_reply(std::string_view body) {
  const std::vector<std::string_view> choices = json::elements(wanted(body, "choices"));
  if (choices.empty()) throw Error(TENON_E_INVALID, "the answer has no choices");
  const std::string_view message = wanted(choices[0], "message");
  Reply out;
  out.thought = utf8::repaired(thought_of(message));
  out.text = utf8::repaired(json::text_field(message, "content").value_or(""));
  out.finish = json::text_field(choices[0], "finish_reason").value_or("") == "length" ? TENON_FINISH_LENGTH
                                                                                      : TENON_FINISH_STOP;
  const auto usage = json::raw_field(body, "usage");
  if (!usage || !usage->starts_with('{')) return out;
  out.prompt_tokens = count_in(*usage, "prompt_tokens");
  out.completion_tokens = count_in(*usage, "completion_tokens");
  return out;
}

std::string messages_of(const Row& row) {
  return row.messages_json.empty() ? "[{\"role\":\"user\",\"content\":" + json::quote(row.prompt) + "}]"
                                   : row.messages_json;
}

ChatServer::ChatServer(const Host& host, const std::string& at)
    : host_(host),
      at_(at),
      endpoint_(http::endpoint_of(host, at)),
      client_(endpoint_.url, endpoint_.settings),
      model_(host.str((at + "model").c_str())) {
  http::probe(host, endpoint_, path_of(endpoint_, "models"), at);
}

void ChatServer::check(const Host& host, Findings& findings, const std::string& at) {
  http::check_endpoint(host, findings, at);
  if (host.str((at + "url").c_str()).find("/chat/completions") != std::string::npos)
    findings.error((at + "url").c_str(), "give the address without /chat/completions, which is added");
}

std::string ChatServer::body_of(const Question& question, const Asking& asking) const {
  return "{\"model\":" + json::quote(model_) + ",\"messages\":" + question.messages_json +
         ",\"temperature\":" + number_text(asking.temperature) +
         (asking.top_p > 0 ? ",\"top_p\":" + number_text(asking.top_p) : "") +
         ",\"max_tokens\":" + std::to_string(asking.max_tokens) +
         ",\"seed\":" + std::to_string(question.seed) + "}";
}

std::vector<Answered> ChatServer::ask(const tenon_call* call, std::span<const Question> questions,
                                      const Asking& asking, KeptAnswers* kept) const {
  std::vector<Answered> out(questions.size());
  std::vector<http::Request> requests;
  std::vector<size_t> of_request;
  std::exception_ptr broken;  // keeping an answer failed: no more are asked for
  for (size_t i = 0; i < questions.size(); ++i) {
    std::string body = body_of(questions[i], asking);
    if (kept != nullptr)
      if (auto known = kept->find(body)) {
        out[i].reply = std::move(*known), out[i].was_kept = true;
        continue;
      }
    http::Request request;
    request.target = path_of(endpoint_, "chat/completions");
    request.headers = endpoint_.headers;
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body;
    request.fault = [&question = questions[i], &reply = out[i].reply, body = std::move(body), kept,
                     &broken](const http::Response& response) -> std::optional<std::string> {
      try {
        reply = read_reply(response.body);
      } catch (const Error& e) {
        return e.what();
      }
      if (question.fault)
        if (auto fault = question.fault(reply)) return fault;
      try {
        if (kept != nullptr) kept->add(body, reply);
      } catch (...) {
        broken = std::current_exception();
      }
      return std::nullopt;
    };
    requests.push_back(std::move(request)), of_request.push_back(i);
  }
  const std::vector<http::Result> results =
      client_.run(requests, [&] { return broken || host_.raw()->cancelled(host_.raw(), call) != 0; });
  if (broken) std::rethrow_exception(broken);
  host_.throw_if_cancelled(call);
  for (size_t k = 0; k < results.size(); ++k) {
    Answered& one = out[of_request[k]];
    one.failure = results[k].failure, one.why = results[k].why;
  }
  return out;
}

void ChatServer::warn_of_uncounted() const {
  if (!warned_) host_.warn("the server's answers have no `usage`: nobody knows how many tokens they are");
  warned_ = true;
}

}  // namespace tenon::chat_server
