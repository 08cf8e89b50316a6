// Fields of a record, each checked where it is taken.
// SPDX-License-Identifier: Apache-2.0
#include "record_row/record_row.h"

#include <algorithm>

namespace tenon::record_row {
namespace {

namespace support = dataset_support;

[[noreturn]] void fail(const std::string& field, const std::string& what) {
  throw Error("field \"" + field + "\" " + what);
}

// The text of a JSON string that is not empty.
std::string full_text(std::string_view raw, const std::string& field) {
  if (!raw.starts_with('"')) fail(field, std::string("is ") + support::kind_of(raw) + "; expected a string");
  std::string text = support::text_of(raw);
  if (text.empty()) fail(field, "is empty");
  return text;
}

// {"role": …, "content": …}, or {"from": …, "value": …} with the names "human" and "gpt", as {role, content}; nothing: neither.
struct Message {
  std::string role, content;
};
std::optional<Message> message(std::string_view raw) {
  if (!raw.starts_with('{')) return std::nullopt;
  auto text = [&](const char* key) -> std::optional<std::string> {
    const auto found = json::raw_field(raw, key);
    return found && found->starts_with('"') ? std::optional(support::text_of(*found)) : std::nullopt;
  };
  if (auto role = text("role"), content = text("content"); role && content)
    return Message{std::move(*role), std::move(*content)};
  auto from = text("from"), value = text("value");
  if (!from || !value) return std::nullopt;
  return Message{*from == "human" ? "user" : *from == "gpt" ? "assistant" : *from, std::move(*value)};
}

Message message_in(std::string_view raw, const std::string& field) {
  if (auto found = message(raw)) return std::move(*found);
  throw Error("a message in field \"" + field +
              "\" is not {\"role\": …, \"content\": …} (or {\"from\": …, \"value\": …}) with two strings");
}

// A list of messages as {role, content}: as it is written where it is so already.
std::string chat(std::string_view raw, const std::string& field) {
  const auto list = raw.starts_with('[') ? json::elements(raw) : std::vector<std::string_view>{};
  if (list.empty()) fail(field, "is not a list of messages");
  std::string out;
  bool as_written = true;
  for (const std::string_view one : list) {
    const Message m = message_in(one, field);
    as_written &= json::raw_field(one, "role").has_value();
    out += (out.empty() ? "[" : ",") + ("{\"role\":" + json::quote(m.role)) +
           ",\"content\":" + json::quote(m.content) + "}";
  }
  return as_written ? std::string(raw) : out + "]";
}

// A completion: a string, a message, or the last message of a list.
std::string said(std::string_view raw, const std::string& field) {
  if (raw.starts_with('[')) {
    const auto list = json::elements(raw);
    if (list.empty()) fail(field, "is an empty list");
    raw = list.back();
    if (!raw.starts_with('{')) fail(field, "is a list, and not one of messages");
  }
  std::string text = raw.starts_with('{') ? message_in(raw, field).content : full_text(raw, field);
  if (text.empty()) fail(field, "is empty");
  return text;
}

// A ranking as a JSON list of strings.
std::string ranking(std::string_view raw, const std::string& field) {
  const auto list = raw.starts_with('[') ? json::elements(raw) : std::vector<std::string_view>{};
  if (list.size() < 2) fail(field, "is not a list of two completions or more, best first");
  std::string out;
  for (const std::string_view one : list) out += (out.empty() ? "[" : ",") + json::quote(said(one, field));
  return out + "]";
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

}  // namespace

RowMaker::RowMaker(const Host& host)
    : form_(host),
      prompt_(host.str_if("prompt").value_or("")),
      messages_(host.str_if("messages").value_or("")),
      completion_(host.str_if("completion").value_or("")),
      answer_(host.str_if("answer").value_or("")),
      rejected_(host.str_if("rejected").value_or("")),
      ranked_(host.str_if("ranked").value_or("")),
      label_(host.str_if("label").value_or("")),
      margin_(host.str_if("margin").value_or("")) {
  if (auto t = host.str_if("template")) template_.emplace(*t);
  if (auto r = host.str_if("answer_regex")) try {
      answer_regex_.emplace(*r);
    } catch (const Error& e) {
      throw Error(e.code(), std::string("answer_regex: ") + e.what());
    }
}

void RowMaker::check(const Host& host, Findings& findings) {
  auto has = [&](const char* option) { return host.str_if(option).has_value(); };
  int sources = 0;
  for (const char* option : {"prompt", "template", "messages"}) sources += has(option);
  if (sources != 1)
    findings.error(
        "prompt",
        std::string(sources == 0 ? "nothing says" : "more than one option says") +
            " what is asked; give one of prompt: <field>, template: \"… {field} …\", messages: <field>");
  if (has("messages")) {
    for (const char* option : {"as", "system"})
      findings.no_effect(option, "the file's messages are used as they are");
  } else {
    support::PromptForm::check(host, findings);
  }
  if (has("answer_regex") && !has("answer"))
    findings.error("answer_regex", "needs `answer`, the field that it looks in");
  for (const char* option : {"rejected", "label"})
    if (has(option) && !has("completion"))
      findings.error(option, "needs `completion`, the field with what it is compared with or says of");
  if (has("margin") && !has("rejected")) findings.error("margin", "is of pairs; give `rejected` too");
  if (has("ranked"))
    for (const char* option : {"rejected", "label"})
      if (has(option)) findings.error(option, "a row is a ranking (`ranked`) or this; give one of them");
  try {
    if (auto t = host.str_if("template")) support::Template{*t};
  } catch (const Error& e) {
    findings.error("template", e.what());
  }
  try {
    if (auto r = host.str_if("answer_regex")) pattern::Pattern{*r};
  } catch (const Error& e) {
    findings.error("answer_regex", e.what());
  }
}

std::string_view RowMaker::value(std::string_view object, const std::string& field) const {
  if (const auto found = support::value_at(object, field)) {
    if (*found == "null") fail(field, "is null");
    return *found;
  }
  std::string names;
  json::each_field(object, [&](const std::string& name, std::string_view) {
    names += (names.empty() ? "" : ", ") + name;
    return true;
  });
  throw Error("there is no field \"" + field + "\"; the record has " + (names.empty() ? "none" : names));
}

std::string RowMaker::question(std::string_view object) const {
  if (!template_) return full_text(value(object, prompt_), prompt_);
  return template_->fill([&](const std::string& name) { return support::text_of(value(object, name)); });
}

// The answer as JSON.
std::string RowMaker::answer(std::string_view object) const {
  const std::string_view raw = value(object, answer_);
  if (!answer_regex_) return std::string(raw);
  const auto found = answer_regex_->last_capture(support::text_of(raw));
  const std::string text = found ? trimmed(*found) : "";
  if (text.empty()) fail(answer_, "has nothing that answer_regex finds");
  return json::quote(text);
}

Row RowMaker::row(std::string_view object) const {
  Row row;
  if (!messages_.empty())
    row.messages_json = chat(value(object, messages_), messages_);
  else
    form_.set(row, question(object));
  Replaced replaced;
  if (!completion_.empty()) row.completion = said(value(object, completion_), completion_);
  if (!answer_.empty() && (answer_ != "answer" || answer_regex_))
    replaced.emplace_back("answer", answer(object));
  if (answer_ == "answer") value(object, answer_);
  if (!rejected_.empty()) {
    const std::string worse = said(value(object, rejected_), rejected_);
    if (worse == row.completion) fail(rejected_, "is the same as \"" + completion_ + "\"");
    replaced.emplace_back("rejected", json::quote(worse));
  }
  if (!ranked_.empty()) replaced.emplace_back("ranked", ranking(value(object, ranked_), ranked_));
  if (!label_.empty()) {
    const std::string_view raw = value(object, label_);
    if (std::string_view(support::kind_of(raw)) != "a boolean" && raw != "0" && raw != "1")
      fail(label_, "is " + std::string(raw.substr(0, 40)) + "; expected true, false, 1 or 0");
    replaced.emplace_back("label", raw);
  }
  if (!margin_.empty()) {
    const std::string_view raw = value(object, margin_);
    if (std::string_view(support::kind_of(raw)) != "a number")
      fail(margin_, std::string("is ") + support::kind_of(raw) + "; expected a number");
    replaced.emplace_back("margin", raw);
  }
  row.meta_json = meta(object, replaced);
  return row;
}

// The record as it stands, with the fields that options name under the names that rewards and stages know, before the others. Values keep their text, so that
// no number is rounded.
std::string RowMaker::meta(std::string_view object, const Replaced& replaced) const {
  if (replaced.empty()) return std::string(object);
  std::string out;
  auto add = [&](const std::string& name, std::string_view value) {
    out += (out.empty() ? "{" : ",") + json::quote(name) + ":" + std::string(value);
  };
  for (const auto& [name, value] : replaced) add(name, value);
  json::each_field(object, [&](const std::string& name, std::string_view value) {
    if (std::none_of(replaced.begin(), replaced.end(), [&](const auto& r) { return r.first == name; }))
      add(name, value);
    return true;
  });
  return out + "}";
}

}  // namespace tenon::record_row
