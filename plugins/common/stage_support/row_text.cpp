// Plain rows and chat rows as ids.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/row_text.h"

#include <algorithm>
#include <boost/json.hpp>

#include "utf8/utf8.h"

namespace tenon::stages {
namespace {

namespace bj = boost::json;

bj::array parse_messages(const Row& row) {
  boost::system::error_code ec;
  bj::value messages = bj::parse(row.messages_json, ec);
  if (ec || !messages.is_array() || messages.get_array().empty())
    throw Error(TENON_E_INVALID,
                "`messages` must be a JSON list of {role, content}" + (ec ? ": " + ec.message() : ""));
  return std::move(messages.get_array());
}

bool is_assistant(const bj::value& message) {
  const bj::object* object = message.if_object();
  const bj::value* role = object == nullptr ? nullptr : object->if_contains("role");
  return role != nullptr && role->is_string() && role->get_string() == "assistant";
}

// The ids up to the last stop id; with the ending id where there is none.
std::vector<int32_t> ended(std::vector<int32_t> ids, const Tokenizer& tokenizer) {
  std::vector<int32_t> stops = tokenizer.stop_ids();
  auto last = std::find_first_of(ids.rbegin(), ids.rend(), stops.begin(), stops.end());
  if (last == ids.rend())
    ids.push_back(ending_id(tokenizer));
  else
    ids.erase(last.base(), ids.end());
  return ids;
}

PromptAndCompletion encode_chat(const Row& row, const Tokenizer& tokenizer) {
  bj::array messages = parse_messages(row);
  if (!row.completion.empty())
    messages.push_back(bj::object{{"role", "assistant"}, {"content", row.completion}});
  if (!is_assistant(messages.back())) return {encode_prompt(row, tokenizer), {}};
  std::string all = tokenizer.chat(bj::serialize(messages), 0);
  messages.pop_back();
  std::string opening = tokenizer.chat(bj::serialize(messages), TENON_CHAT_GENERATE);
  if (!all.starts_with(opening))
    throw Error(
        TENON_E_UNSUPPORTED,
        "the tokenizer's chat template writes the conversation differently once the answer is there, so "
        "the part to train on cannot be found: give rows with `prompt` and `completion`");
  std::vector<int32_t> answer =
      tokenizer.encode(std::string_view(all).substr(opening.size()), TENON_ENCODE_SPECIAL);
  return {tokenizer.encode(opening, TENON_ENCODE_SPECIAL), ended(std::move(answer), tokenizer)};
}

}  // namespace

int32_t ending_id(const Tokenizer& tokenizer) {
  int64_t eos = tokenizer.special("eos");
  if (eos >= 0) return static_cast<int32_t>(eos);
  std::vector<int32_t> stops = tokenizer.stop_ids();
  if (stops.empty())
    throw TokenizerError(
        TENON_E_INVALID,
        "the tokenizer has neither an `eos` nor a stop id, so a model could not learn where a "
        "completion ends: give it one (of `char`: the option eos)");
  return stops.front();
}

std::vector<int32_t> encode_prompt(const Row& row, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = prompt_ids(row, tokenizer);
  if (ids.empty())
    throw Error(TENON_E_INVALID, "the prompt has no tokens: a model needs at least one to go on from");
  return ids;
}

PromptAndCompletion encode_row(const Row& row, const Tokenizer& tokenizer) {
  if (!row.messages_json.empty()) return encode_chat(row, tokenizer);
  PromptAndCompletion out{encode_prompt(row, tokenizer), {}};
  if (row.completion.empty()) return out;
  out.completion = tokenizer.encode(row.completion);
  out.completion.push_back(ending_id(tokenizer));
  return out;
}

std::string place_of(const Row& row) {
  constexpr size_t kShown = 60;
  const std::string& text = row.messages_json.empty() ? row.prompt : row.messages_json;
  const std::string beginning = utf8::excerpt(text, 0, kShown);
  return row.source.empty() ? beginning : row.source + " (" + beginning + ")";
}

}  // namespace tenon::stages
