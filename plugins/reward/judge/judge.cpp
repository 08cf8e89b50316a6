// Reward `judge`: a language model behind an OpenAI-compatible server says how good a completion is.
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948v2, §2.2 of its supplement) had pairs judged four times with the two responses as A and as B at random,
// and took the average. Here half of the questions have the completion as A and half as B, so that a bias for a place cancels exactly.

#include <algorithm>
#include <boost/json.hpp>

#include "http/options.h"
#include "judge_verdict/verdict.h"
#include "reward_support/think_tags.h"
#include "tenon/reward.hpp"

namespace {

namespace http = tenon::http;
namespace judge = tenon::judge;
namespace json = boost::json;
using tenon::RewardOutcome;
using tenon::Sample;

constexpr const char* kModes[] = {"score", "pairwise", "correct", nullptr};
constexpr const char* kRegions[] = {"answer", "whole", nullptr};

judge::Mode mode_of(const std::string& name) {
  return name == "pairwise"  ? judge::Mode::kPairwise
         : name == "correct" ? judge::Mode::kCorrect
                             : judge::Mode::kScore;
}
json::string_view view(std::string_view s) {
  return {s.data(), s.size()};
}
std::string_view view(const json::string& s) {
  return {s.data(), s.size()};
}

// The verdict in the first choice's message of a server's JSON.
judge::Verdict verdict_of(const std::string& body, const judge::Question& question, std::string_view mark) {
  boost::system::error_code error;
  const json::value answer = json::parse(body, error);
  const json::value* content = error ? nullptr : answer.find_pointer("/choices/0/message/content", error);
  if (content == nullptr || !content->is_string())
    return {std::nullopt, "the server's answer is no chat completion"};
  const json::value* finish = answer.find_pointer("/choices/0/finish_reason", error);
  if (finish != nullptr && finish->is_string() && finish->get_string() == "length")
    return {std::nullopt, "the judge's answer was cut at max_tokens, before its verdict"};
  return judge::read_verdict(view(content->get_string()), question, mark);
}

class Judge {
 public:
  static constexpr uint32_t kFlags = TENON_C_MAY_BLOCK;
  static constexpr const char* kDoc =
      "Asks <url>/chat/completions. pairwise is DeepSeek-R1's: four verdicts, the completion as A in half of "
      "them and as B in the other half, averaged.";

  explicit Judge(tenon::Host host)
      : host_(host),
        endpoint_(http::endpoint_of(host)),
        client_(endpoint_.url, endpoint_.settings),
        model_(host.str("model")),
        mode_(mode_of(host.str("mode"))),
        instructions_(host.str("instructions")),
        reference_(host.str("reference")),
        takes_answer_(host.str("region") == "answer"),
        queries_(static_cast<size_t>(host.i64("queries"))),
        temperature_(host.f64("temperature")),
        max_tokens_(host.i64("max_tokens")),
        json_mode_(host.boolean("json_mode")) {
    if (const auto models = http::probe(host, endpoint_, path("models"))) warn_of_unknown_model(models->body);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    http::check_endpoint(host, findings);
    if (host.str("url").find("/chat/completions") != std::string::npos)
      findings.error("url", "give the address without /chat/completions, which is added");
    const std::string mode = host.str("mode");
    if (mode == "score") findings.no_effect("reference", "mode: score has nothing to compare with");
    if (mode == "pairwise" && host.i64("queries") % 2 != 0)
      findings.error("queries",
                     "is odd: mode: pairwise asks as often with the completion as A as with it as B");
  }

  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call* call) const {
    std::vector<RewardOutcome> out(samples.size());
    std::vector<std::string> references(samples.size());
    std::vector<http::Request> requests;
    std::vector<Asked> asked;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!take_reference(samples[i], references[i], out[i])) continue;
      for (size_t k = 0; k < queries_; ++k) {
        const judge::Question question{mode_, samples[i].prompt, judged_part(samples[i]), references[i],
                                       k % 2 == 0};
        asked.push_back({i, question, judge::mark_of(question)});
        requests.push_back(request_of(asked.back(), k));
      }
    }
    const auto results =
        client_.run(requests, [&] { return host_.raw()->cancelled(host_.raw(), call) != 0; });
    settle(samples, asked, results, out);
    return out;
  }

 private:
  struct Asked {
    size_t sample;
    judge::Question question;
    std::string mark;
  };

  std::string path(const char* below) const {
    return endpoint_.url.target + (endpoint_.url.target.ends_with('/') ? "" : "/") + below;
  }

  // `models`: what the server lists, {"data": [{"id": …}]}. Some take any name, and so another one is no error.
  void warn_of_unknown_model(const std::string& models) const {
    json::error_code error;
    const json::value list = json::parse(models, error);
    const json::value* data = list.is_object() ? list.get_object().if_contains("data") : nullptr;
    if (error || data == nullptr || !data->is_array() || data->get_array().empty()) return;
    std::string names;
    for (const json::value& one : data->get_array()) {
      const json::value* id = one.is_object() ? one.get_object().if_contains("id") : nullptr;
      if (id == nullptr || !id->is_string()) return;
      if (id->get_string() == model_) return;
      names += (names.empty() ? "" : ", ") + std::string(id->get_string());
    }
    host_.warn("the server does not list the judge \"" + model_ + "\"; it lists " + names.substr(0, 400));
  }

  // False: the sample cannot be judged; `out` says why.
  bool take_reference(const Sample& sample, std::string& reference, RewardOutcome& out) const {
    if (mode_ == judge::Mode::kScore) return true;
    try {
      if (auto text = sample.meta(reference_)) {
        reference = std::move(*text);
        return true;
      }
      out = {TENON_R_REFUSED, 0, "the row has no field \"" + reference_ + "\" to compare with"};
    } catch (const tenon::Error& e) {
      out = {TENON_R_CRASHED, 0, e.what()};
    }
    return false;
  }

  std::string_view judged_part(const Sample& sample) const {
    return takes_answer_ ? tenon::reward_support::answer_part(sample.prompt, sample.completion)
                         : sample.completion;
  }

  http::Request request_of(const Asked& asked, size_t k) const {
    const std::string text = judge::text_of(asked.question, instructions_, asked.mark);
    json::object body{{"model", view(model_)},
                      {"messages", json::array{json::object{{"role", "user"}, {"content", view(text)}}}},
                      {"temperature", temperature_},
                      {"max_tokens", max_tokens_},
                      {"seed", k}};
    if (json_mode_) body["response_format"] = json::object{{"type", "json_object"}};
    http::Request request;
    request.target = path("chat/completions");
    request.headers = endpoint_.headers;
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = json::serialize(body);
    request.fault = [asked](const http::Response& response) -> std::optional<std::string> {
      const judge::Verdict verdict = verdict_of(response.body, asked.question, asked.mark);
      return verdict.value ? std::nullopt : std::optional(verdict.fault);
    };
    return request;
  }

  // The mean of a sample's verdicts; where one is missing there is no reward.
  void settle(const std::vector<Sample>& samples, const std::vector<Asked>& asked,
              const std::vector<http::Result>& results, std::vector<RewardOutcome>& out) const {
    std::vector<double> least(samples.size(), 2), most(samples.size(), -2);
    for (size_t j = 0; j < results.size(); ++j) {
      const size_t i = asked[j].sample;
      RewardOutcome& sample = out[i];
      if (j == 0 || asked[j - 1].sample != i) sample = {TENON_R_OK, 0, ""};
      if (results[j].failure != http::Failure::kNone) {
        const bool is_late =
            results[j].failure == http::Failure::kTimedOut || results[j].failure == http::Failure::kStopped;
        sample = {is_late ? TENON_R_TIMED_OUT : TENON_R_CRASHED, 0, results[j].why};
        continue;
      }
      if (sample.status != TENON_R_OK) continue;
      const double value = *verdict_of(results[j].response.body, asked[j].question, asked[j].mark).value;
      sample.reward += value / static_cast<double>(queries_);
      least[i] = std::min(least[i], value), most[i] = std::max(most[i], value);
    }
    for (size_t i = 0; i < samples.size(); ++i)
      if (out[i].status == TENON_R_OK) samples[i].note("disagreement", most[i] - least[i]);
  }

  tenon::Host host_;
  http::Endpoint endpoint_;
  http::Client client_;
  std::string model_;
  judge::Mode mode_;
  std::string instructions_, reference_;
  bool takes_answer_;
  size_t queries_;
  double temperature_;
  int64_t max_tokens_;
  bool json_mode_;
};

}  // namespace

TENON_BATCH_REWARD_PLUGIN(
    Judge, "judge", "1.0.0", "A language model behind an OpenAI-compatible server judges.", http::kUrl,
    tenon::text("model", nullptr, "The judge's name on the server.", {.flags = TENON_O_REQUIRED}),
    tenon::choice("mode", kModes, "\"score\"",
                  "score: 0 to 1; pairwise: against the response in field `reference`, −1 to 1; correct: "
                  "against the answer in field `reference`, 0 or 1."),
    tenon::text("instructions", "\"\"", "What the judge is to look at, in your words."),
    tenon::text("reference", "\"answer\"",
                "Field of the row's meta with the response or the answer to compare with."),
    tenon::choice("region", kRegions, "\"answer\"",
                  "answer: what follows </think>; whole: all of the completion."),
    tenon::integer("queries", "4", "Verdicts on a completion, which are averaged; pairwise: even.",
                   {.min = "1", .max = "64"}),
    tenon::number("temperature", "0.6", "Of the judge.", {.min = "0", .max = "2"}),
    tenon::integer("max_tokens", "4096", "Of an answer of the judge.", {.min = "1", .max = "1048576"}),
    tenon::boolean(
        "json_mode", "false",
        "Whether to ask the server for JSON (response_format); a judge then cannot think in prose."),
    http::kHeaders, http::kTokenEnv, http::kProbe, http::kTimeout, http::kConnectTimeout, http::kAttempts,
    http::kBackoff, http::kConcurrency, http::kProxy, http::kCaFile, http::kVerify)
