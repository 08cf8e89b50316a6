// Asking <url>/chat/completions.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/chat_server.h"

#include <cstdio>
#include <map>

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

// A field that is a string; nothing: it is absent, null or something else.
std::optional<std::string> text_in(std::string_view object, const char* field) {
  const auto raw = json::raw_field(object, field);
  return raw && raw->starts_with('"') ? json::text_field(object, field) : std::nullopt;
}

// The first of two names under which servers give what a model thought.
std::string thought_of(std::string_view message) {
  for (const char* field : {"reasoning_content", "reasoning"})
    if (const auto thought = text_in(message, field); thought && !thought->empty()) return *thought;
  return "";
}

// Why an answer ended, as far as it is one. Servers that do not say have no `finish_reason`, or null.
int32_t finish_of(std::string_view choice) {
  const std::string reason = json::text_field(choice, "finish_reason").value_or("");
  if (reason == "length") return TENON_FINISH_LENGTH;
  if (reason == "stop" || reason.empty()) return TENON_FINISH_STOP;
  throw Error(TENON_E_INVALID, "the answer ended with finish_reason " + json::quote(reason.substr(0, 100)));
}

}  // namespace

Reply read_reply(std::string_view body) {
  const std::vector<std::string_view> choices = json::elements(wanted(body, "choices"));
  if (choices.empty()) throw Error(TENON_E_INVALID, "the answer has no choices");
  const std::string_view message = wanted(choices[0], "message");
  Reply out;
  out.thought = utf8::repaired(thought_of(message));
  const std::optional<std::string> text = text_in(message, "content");
  out.finish = finish_of(choices[0]);
  if (!text && out.thought.empty())
    throw Error(TENON_E_INVALID, "the answer has no text: its `content` is missing or null");
  out.text = utf8::repaired(text.value_or(""));
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

bool Answered::is_unanswerable() const {
  if (failure == http::Failure::kUseless) return true;
  // 0: its answer was longer than any may be.
  return failure == http::Failure::kRefused &&
         (status == 0 || status == 400 || status == 413 || status == 422);
}

std::string ChatServer::body_of(const Question& question, const Asking& asking, uint32_t attempt) const {
  constexpr uint64_t kNextSeed = 1'000'003;  // far from those of neighbours
  return "{\"model\":" + json::quote(model_) + ",\"messages\":" + question.messages_json +
         ",\"temperature\":" + number_text(asking.temperature) +
         (asking.top_p > 0 ? ",\"top_p\":" + number_text(asking.top_p) : "") +
         ",\"max_tokens\":" + std::to_string(asking.max_tokens) +
         ",\"seed\":" + std::to_string(question.seed + attempt * kNextSeed) + "}";
}

std::vector<Answered> ChatServer::ask(const tenon_call* call, std::span<const Question> questions,
                                      const Asking& asking, KeptAnswers* kept) const {
  std::vector<Answered> out(questions.size());
  std::vector<size_t> open, same(questions.size());  // `same`: the first question of this body
  std::map<std::string, size_t> first_of;
  for (size_t i = 0; i < questions.size(); ++i) {
    const auto [first, is_new] = first_of.try_emplace(body_of(questions[i], asking, 0), i);
    same[i] = first->second;
    if (!is_new) continue;
    if (auto known = kept != nullptr ? kept->find(first->first) : std::nullopt)
      out[i].reply = std::move(*known), out[i].was_kept = true;
    else
      open.push_back(i);
  }
  const uint32_t attempts = endpoint_.settings.attempts;
  for (uint32_t attempt = 0; attempt < attempts && !open.empty(); ++attempt) {
    ask_once(call, questions, asking, attempt, open, out, kept);
    std::erase_if(open, [&](size_t i) { return out[i].failure != http::Failure::kUseless; });
  }
  if (attempts > 1)
    for (const size_t i : open) out[i].why += " (" + std::to_string(attempts) + " attempts)";
  for (size_t i = 0; i < questions.size(); ++i)
    if (same[i] != i) out[i] = out[same[i]];
  return out;
}

void ChatServer::ask_once(const tenon_call* call, std::span<const Question> questions, const Asking& asking,
                          uint32_t attempt, std::span<const size_t> open, std::vector<Answered>& out,
                          KeptAnswers* kept) const {
  std::vector<http::Request> requests;
  std::exception_ptr broken;  // keeping an answer failed: no more are asked for
  for (const size_t i : open) {
    http::Request request;
    request.target = path_of(endpoint_, "chat/completions");
    request.headers = endpoint_.headers;
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body_of(questions[i], asking, attempt);
    request.repeats_useless = false;
    request.fault = [&, i](const http::Response& response) -> std::optional<std::string> {
      Reply& reply = out[i].reply;
      try {
        reply = read_reply(response.body);
      } catch (const Error& e) {
        return e.what();
      }
      if (questions[i].fault)
        if (auto fault = questions[i].fault(reply)) return fault;
      try {
        // Under the question as it was first asked: that is what a run that goes on looks for.
        if (kept != nullptr) kept->add(body_of(questions[i], asking, 0), reply);
      } catch (...) {
        broken = std::current_exception();
      }
      return std::nullopt;
    };
    requests.push_back(std::move(request));
  }
  const std::vector<http::Result> results =
      client_.run(requests, [&] { return broken || host_.raw()->cancelled(host_.raw(), call) != 0; });
  if (broken) std::rethrow_exception(broken);
  host_.throw_if_cancelled(call);
  for (size_t k = 0; k < results.size(); ++k) {
    Answered& one = out[open[k]];
    one.failure = results[k].failure, one.why = results[k].why, one.status = results[k].response.status;
  }
}

void ChatServer::warn_of_uncounted() const {
  if (!warned_) host_.warn("the server's answers have no `usage`: nobody knows how many tokens they are");
  warned_ = true;
}

}  // namespace tenon::chat_server
