// Reward `http`: a server of one's own says what completions are worth.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>

#include "http/options.h"
#include "tenon/reward.hpp"
#include "utf8/utf8.h"

namespace {

namespace http = tenon::http;
namespace json = boost::json;
using tenon::RewardOutcome;
using tenon::Sample;

const char* finish_name(int32_t finish) {
  return finish == TENON_FINISH_LENGTH ? "length" : finish == 0 ? "unknown" : "stop";
}

// {"samples": [{"id", "group", "prompt", "completion", "meta", "finish", "tokens"}]}
std::string body_of(const std::vector<Sample>& samples, size_t begin, size_t end) {
  json::array list;
  for (size_t i = begin; i < end; ++i) {
    const Sample& s = samples[i];
    json::object sample;
    sample["id"] = s.id;
    sample["group"] = s.group;
    sample["prompt"] = json::string_view(s.prompt.data(), s.prompt.size());
    sample["completion"] = json::string_view(s.completion.data(), s.completion.size());
    sample["meta"] = s.meta_json.empty()
                         ? json::value(json::object())
                         : json::parse(json::string_view(s.meta_json.data(), s.meta_json.size()));
    sample["finish"] = finish_name(s.finish);
    sample["tokens"] = s.tokens.size();
    list.push_back(std::move(sample));
  }
  return json::serialize(json::object{{"samples", std::move(list)}});
}

std::string excerpt(const json::value& value) {
  return tenon::utf8::excerpt(value.is_string() ? std::string(value.get_string()) : json::serialize(value), 0,
                              60);
}

// The notes of an element, all or, where one is no number, none.
void note_all(const json::object& element, const Sample& sample) {
  const json::value* notes = element.if_contains("notes");
  if (notes == nullptr) return;
  if (!notes->is_object()) throw std::runtime_error("\"notes\" is no object: " + excerpt(*notes));
  for (const auto& note : notes->get_object())
    if (!note.value().is_number())
      throw std::runtime_error("note \"" + std::string(note.key()) +
                               "\" is no number: " + excerpt(note.value()));
  for (const auto& note : notes->get_object())
    sample.note(std::string(note.key()).c_str(), note.value().to_number<double>());
}

struct Status {
  const char* name;
  int32_t value;
};
constexpr Status kStatuses[] = {{"ok", TENON_R_OK},
                                {"not applicable", TENON_R_NOT_APPLICABLE},
                                {"timed out", TENON_R_TIMED_OUT},
                                {"crashed", TENON_R_CRASHED},
                                {"refused", TENON_R_REFUSED}};

// One element of "rewards": a number; null, which is not applicable; or an object. Throws std::runtime_error for anything else.
RewardOutcome outcome_of(const json::value& element, const Sample& sample) {
  if (element.is_null()) return {TENON_R_NOT_APPLICABLE, 0, ""};
  if (element.is_number()) return {TENON_R_OK, element.to_number<double>(), ""};
  const json::object* object = element.if_object();
  if (object == nullptr)
    throw std::runtime_error("an element is no number, null or object: " + excerpt(element));
  RewardOutcome out{TENON_R_OK, 0, ""};
  if (const json::value* status = object->if_contains("status")) {
    const auto* found = std::find_if(std::begin(kStatuses), std::end(kStatuses), [&](const Status& s) {
      return status->is_string() && status->get_string() == s.name;
    });
    if (found == std::end(kStatuses))
      throw std::runtime_error("a \"status\" is none of ok, not applicable, timed out, crashed, refused: " +
                               excerpt(*status));
    out.status = found->value;
  }
  if (const json::value* reason = object->if_contains("reason")) {
    if (!reason->is_string()) throw std::runtime_error("a \"reason\" is no text: " + excerpt(*reason));
    out.why = std::string(reason->get_string());
  }
  const json::value* reward = object->if_contains("reward");
  if (out.status == TENON_R_OK && (reward == nullptr || !reward->is_number()))
    throw std::runtime_error("an element that is ok has no number as \"reward\": " +
                             (reward == nullptr ? "it is absent" : excerpt(*reward)));
  if (reward != nullptr && reward->is_number()) out.reward = reward->to_number<double>();
  note_all(*object, sample);
  return out;
}

// `body` with NaN, Infinity and -Infinity, which Python's json writes and JSON does not know, as texts.
std::string with_quoted_words(std::string_view body) {
  constexpr std::string_view kWords[] = {"NaN", "-Infinity", "Infinity"};
  std::string out;
  bool in_text = false;
  for (size_t i = 0; i < body.size(); ++i) {
    const auto* word = in_text ? std::end(kWords)
                               : std::find_if(std::begin(kWords), std::end(kWords), [&](std::string_view w) {
                                   return body.substr(i).starts_with(w);
                                 });
    if (word != std::end(kWords)) {
      out += '"' + std::string(*word) + '"';
      i += word->size() - 1;
      continue;
    }
    out += body[i];
    if (in_text && body[i] == '\\' && i + 1 < body.size())
      out += body[++i];
    else if (body[i] == '"')
      in_text = !in_text;
  }
  return out;
}

// The list of n elements in an answer. Throws std::runtime_error where there is none.
json::array elements_of(const std::string& body, size_t n) {
  json::error_code error;
  const json::value answer = json::parse(with_quoted_words(body), error);
  if (error) throw std::runtime_error("it is not JSON (" + error.message() + ")");
  const json::object* object = answer.if_object();
  const json::value* rewards = object != nullptr ? object->if_contains("rewards") : nullptr;
  if (rewards == nullptr || !rewards->is_array()) throw std::runtime_error("there is no list \"rewards\"");
  if (rewards->get_array().size() != n)
    throw std::runtime_error(std::to_string(rewards->get_array().size()) + " rewards for " +
                             std::to_string(n) + " samples");
  return rewards->get_array();
}

// The outcomes of samples[begin, end) in an answer that has a list of them. An element that says nothing costs its own sample.
std::vector<RewardOutcome> outcomes_of(const std::string& body, const std::vector<Sample>& samples,
                                       size_t begin, size_t end) {
  std::vector<RewardOutcome> out;
  for (const json::value& element : elements_of(body, end - begin)) try {
      out.push_back(outcome_of(element, samples[begin + out.size()]));
    } catch (const std::exception& e) {
      out.push_back({TENON_R_CRASHED, 0, std::string("of the server's answer ") + e.what()});
    }
  return out;
}

std::optional<std::string> fault_of(const std::string& body, size_t n) {
  try {
    elements_of(body, n);
    return std::nullopt;
  } catch (const std::exception& e) {
    return std::string("the server's answer is of no use: ") + e.what();
  }
}

class Http {
 public:
  static constexpr uint32_t kFlags = TENON_C_MAY_BLOCK;
  static constexpr const char* kDoc =
      "POSTs {\"samples\": [{id, group, prompt, completion, meta, finish, tokens}]} and reads {\"rewards\": "
      "[number | null | {reward, status, reason, "
      "notes}]}.";

  explicit Http(tenon::Host host)
      : host_(host),
        endpoint_(http::endpoint_of(host)),
        client_(endpoint_.url, endpoint_.settings),
        batch_(static_cast<size_t>(host.i64("batch"))) {
    http::probe(host, endpoint_, endpoint_.url.target);
  }

  static void check(tenon::Host host, tenon::Findings& findings) { http::check_endpoint(host, findings); }

  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call* call) const {
    std::vector<http::Request> requests;
    for (size_t begin = 0; begin < samples.size(); begin += batch_) {
      const size_t end = std::min(begin + batch_, samples.size());
      http::Request request;
      request.target = endpoint_.url.target;
      request.headers = endpoint_.headers;
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = body_of(samples, begin, end);
      request.fault = [n = end - begin](const http::Response& r) { return fault_of(r.body, n); };
      requests.push_back(std::move(request));
    }
    const auto results =
        client_.run(requests, [&] { return host_.raw()->cancelled(host_.raw(), call) != 0; });
    std::vector<RewardOutcome> out;
    for (size_t k = 0; k < results.size(); ++k) {
      const size_t begin = k * batch_, end = std::min(begin + batch_, samples.size());
      if (results[k].failure == http::Failure::kNone) {
        for (RewardOutcome& outcome : outcomes_of(results[k].response.body, samples, begin, end))
          out.push_back(std::move(outcome));
      } else {
        out.insert(out.end(), end - begin, failed(results[k]));
      }
    }
    return out;
  }

 private:
  static RewardOutcome failed(const http::Result& result) {
    const bool is_late =
        result.failure == http::Failure::kTimedOut || result.failure == http::Failure::kStopped;
    return {is_late ? TENON_R_TIMED_OUT : TENON_R_CRASHED, 0, result.why};
  }

  tenon::Host host_;
  http::Endpoint endpoint_;
  http::Client client_;
  size_t batch_;
};

}  // namespace

TENON_BATCH_REWARD_PLUGIN(
    Http, "http", "1.0.0", "What a server says that the completions are worth.", http::kUrl,
    tenon::integer("batch", "64", "Samples in a request.", {.min = "1", .max = "65536"}), http::kHeaders,
    http::kTokenEnv, http::kProbe, http::kTimeout, http::kConnectTimeout, http::kAttempts, http::kBackoff,
    http::kConcurrency, http::kProxy, http::kCaFile, http::kVerify)
