// Asking <url>/chat/completions.
// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <cstdio>

#include "utf8/utf8.h"

namespace tenon::evaluate {
namespace {

constexpr const char* kAt = "server.";

struct Reply {
  std::string text;
  int32_t finish;
  uint64_t prompt_tokens, completion_tokens;
};

std::string_view wanted(std::string_view object, const char* field) {
  const auto raw = json::raw_field(object, field);
  if (!raw) throw Error(TENON_E_INVALID, std::string("the answer has no field ") + field);
  return *raw;
}

Reply read_reply(std::string_view body) {
  const std::vector<std::string_view> choices = json::elements(wanted(body, "choices"));
  if (choices.empty()) throw Error(TENON_E_INVALID, "the answer has no choices");
  const std::string_view message = wanted(choices[0], "message"), usage = wanted(body, "usage");
  Reply out;
  if (const auto thought = json::text_field(message, "reasoning_content"); thought && !thought->empty())
    out.text = "<think>" + *thought + "</think>";
  out.text = utf8::repaired(out.text + json::text_field(message, "content").value_or(""));
  out.finish = json::text_field(choices[0], "finish_reason").value_or("") == "length" ? TENON_FINISH_LENGTH
                                                                                      : TENON_FINISH_STOP;
  const auto count = [&](const char* field) {
    const auto n = json::number_field(usage, field);
    if (!n || *n < 0) throw Error(TENON_E_INVALID, std::string("the answer's usage has no ") + field);
    return static_cast<uint64_t>(*n);
  };
  out.prompt_tokens = count("prompt_tokens"), out.completion_tokens = count("completion_tokens");
  return out;
}

std::string number_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}

std::string path_of(const http::Endpoint& endpoint, const char* below) {
  return endpoint.url.target + (endpoint.url.target.ends_with('/') ? "" : "/") + below;
}

// What rewards are shown as the prompt.
std::string shown_prompt(const Row& row) {
  if (row.messages_json.empty()) return row.prompt;
  std::string out;
  for (std::string_view message : json::elements(row.messages_json))
    out += (out.empty() ? "" : "\n") + json::text_field(message, "content").value_or("");
  return out;
}

}  // namespace

Server::Server(const Host& host)
    : host_(host),
      endpoint_(http::endpoint_of(host, kAt)),
      client_(endpoint_.url, endpoint_.settings),
      model_(host.str("server.model")) {
  http::probe(host, endpoint_, path_of(endpoint_, "models"), kAt);
}

void Server::check(const Host& host, Findings& findings) {
  http::check_endpoint(host, findings, kAt);
  if (host.str("server.url").find("/chat/completions") != std::string::npos)
    findings.error("server.url", "give the address without /chat/completions, which is added");
}

http::Request Server::request_of(const Row& row, uint64_t seed, const Asking& asking) const {
  http::Request request;
  request.target = path_of(endpoint_, "chat/completions");
  request.headers = endpoint_.headers;
  request.headers.emplace_back("Content-Type", "application/json");
  const std::string messages = row.messages_json.empty()
                                   ? "[{\"role\":\"user\",\"content\":" + json::quote(row.prompt) + "}]"
                                   : row.messages_json;
  request.body = "{\"model\":" + json::quote(model_) + ",\"messages\":" + messages +
                 ",\"temperature\":" + number_text(asking.temperature) +
                 (asking.top_p > 0 ? ",\"top_p\":" + number_text(asking.top_p) : "") +
                 ",\"max_tokens\":" + std::to_string(asking.max_tokens) +
                 ",\"seed\":" + std::to_string(seed) + "}";
  request.fault = [](const http::Response& response) -> std::optional<std::string> {
    try {
      read_reply(response.body);
      return std::nullopt;
    } catch (const std::exception& e) {
      return e.what();
    }
  };
  return request;
}

stages::Sampled Server::sample(const tenon_call* call, const std::vector<Row>& rows, uint64_t per_row,
                               uint64_t first_id, const Asking& asking,
                               const stages::RewardList& rewards) const {
  std::vector<http::Request> requests;
  for (const Row& row : rows)
    for (uint64_t k = 0; k < per_row; ++k)
      requests.push_back(request_of(row, first_id + requests.size(), asking));
  stages::Sampled out;
  {
    Timed timed(host_, "rollout");
    const std::vector<http::Result> results =
        client_.run(requests, [&] { return host_.raw()->cancelled(host_.raw(), call) != 0; });
    host_.throw_if_cancelled(call);
    size_t failed = 0, first_failed = 0;
    for (size_t i = results.size(); i-- > 0;)
      if (results[i].failure != http::Failure::kNone) ++failed, first_failed = i;
    if (failed > 0)
      throw Error(TENON_E_UNSUPPORTED,
                  std::to_string(failed) + " of " + std::to_string(results.size()) +
                      " completions could not be had from the server, first: " + results[first_failed].why +
                      ". Go on with `tenon resume` when it is well");
    for (size_t i = 0; i < results.size(); ++i) {
      const Reply reply = read_reply(results[i].response.body);
      const Row& row = rows[i / per_row];
      out.rollout.push({}, {}, {}, first_id + i / per_row * per_row, first_id + i, reply.finish);
      out.prompts.push(shown_prompt(row)), out.completions.push(reply.text), out.meta.push(row.meta_json);
      out.row_index.push_back(row.index);
      out.prompt_tokens.push_back(reply.prompt_tokens),
          out.completion_tokens.push_back(reply.completion_tokens);
    }
  }
  Timed timed(host_, "reward");
  rewards.score(call, out);
  return out;
}

}  // namespace tenon::evaluate
