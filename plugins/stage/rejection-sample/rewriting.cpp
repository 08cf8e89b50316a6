// Templates filled from rows, and questions replaced.
// SPDX-License-Identifier: Apache-2.0
#include "rewriting.h"

#include "dataset_support/wrapped.h"
#include "reward_support/think_tags.h"

namespace tenon::rejection {
namespace {

// The last message of the user; the number of messages if there is none.
size_t last_of_user(const std::vector<std::string_view>& messages) {
  size_t last = messages.size();
  for (size_t i = 0; i < messages.size(); ++i)
    if (json::text_field(messages[i], "role") == "user") last = i;
  return last;
}

std::string question_of(const Row& row) {
  if (row.messages_json.empty()) return row.prompt;
  const auto messages = json::elements(row.messages_json);
  const size_t last = last_of_user(messages);
  if (last == messages.size()) throw Error(TENON_E_INVALID, "the chat has no message of the user");
  return json::text_field(messages[last], "content").value_or("");
}

// Of a chat: the last message of the user says `question`.
void set_question(Row& row, const std::string& question) {
  if (row.messages_json.empty()) {
    row.prompt = question;
    return;
  }
  const auto messages = json::elements(row.messages_json);
  const size_t last = last_of_user(messages);
  std::string out;
  for (size_t i = 0; i < messages.size(); ++i)
    out += (out.empty() ? "[" : ",") + (i == last
                                            ? "{\"role\":\"user\",\"content\":" + json::quote(question) + "}"
                                            : std::string(messages[i]));
  row.messages_json = out + "]";
}

std::string trimmed(std::string_view text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

}  // namespace

Rewriting::Rewriting(const Host& host) : into_prompt_(host.str("into") == "prompt") {
  if (const auto text = host.str_if("template")) template_.emplace(*text);
}

void Rewriting::check(const Host& host, Findings& findings) {
  const auto text = host.str_if("template");
  if (!text)
    return findings.no_effect("into", "without a `template` completions are completions of the prompt");
  try {
    if (dataset_support::Template(*text).names().empty())
      findings.error("template", "names nothing of the row: write {question} where the question goes");
  } catch (const Error& e) {
    findings.error("template", e.what());
  }
}

Row Rewriting::asked(const Row& row) const {
  if (!template_) return row;
  std::string text = template_->fill([&](const std::string& name) {
    if (name == "question") return question_of(row);
    const auto value = dataset_support::part_of(row, name);
    if (!value || (name == "completion" && value->empty()))
      throw Error(TENON_E_INVALID, name == "completion" ? "it has no completion, which `template` names"
                                                        : "it has no field \"" + name +
                                                              "\" in its meta, which `template` names");
    return *value;
  });
  Row out = row;
  if (row.messages_json.empty())
    out.prompt = std::move(text);
  else
    out.messages_json = "[{\"role\":\"user\",\"content\":" + json::quote(text) + "}]";
  return out;
}

std::optional<Row> Rewriting::rewritten(const Row& row, std::string_view completion) const {
  Row out = row;
  if (!template_ || !into_prompt_) {
    out.completion = completion;
    return out;
  }
  const std::string question = trimmed(reward_support::answer_part("", completion));
  if (question.empty()) return std::nullopt;
  set_question(out, question);
  return out;
}

}  // namespace tenon::rejection
