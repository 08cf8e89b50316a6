// Templates, and questions as prompts or chats.
// SPDX-License-Identifier: Apache-2.0
#include "dataset_support/prompt_form.h"

#include <algorithm>

namespace tenon::dataset_support {

Template::Template(std::string_view text) : literals_(1) {
  auto fail = [&](const std::string& why) {
    throw Error("option template: " + why + " in \"" + std::string(text) +
                "\"; {name} stands for a value, {{ and }} for braces");
  };
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      literals_.back() += c;
      ++i;
    } else if (c == '{') {
      size_t end = text.find('}', i);
      if (end == std::string_view::npos) fail("a brace is not closed");
      if (end == i + 1) fail("a name is empty");
      names_.emplace_back(text.substr(i + 1, end - i - 1));
      literals_.emplace_back();
      i = end;
    } else if (c == '}') {
      fail("a brace closes nothing");
    } else {
      literals_.back() += c;
    }
  }
}

std::string Template::fill(const std::function<std::string(const std::string&)>& value) const {
  std::string out = literals_[0];
  for (size_t i = 0; i < names_.size(); ++i) out += value(names_[i]) + literals_[i + 1];
  return out;
}

void require_names(const Template& t, std::initializer_list<std::string_view> allowed) {
  for (const std::string& name : t.names()) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    std::string list;
    for (std::string_view a : allowed) list += (list.empty() ? "{" : ", {") + std::string(a) + "}";
    throw Error("option template: there is no {" + name + "}; it may have " + list);
  }
}

PromptForm::PromptForm(const Host& host)
    : messages_(host.str("as") == "messages"), system_(host.str_if("system").value_or("")) {}

void PromptForm::check(const Host& host, Findings& findings) {
  if (host.str("as") != "messages")
    findings.no_effect("system", "a prompt has no system message; that needs as: messages");
}

void PromptForm::set(Row& row, std::string question) const {
  if (!messages_) {
    row.prompt = std::move(question);
    return;
  }
  row.messages_json = "[";
  if (!system_.empty())
    row.messages_json += "{\"role\":\"system\",\"content\":" + json::quote(system_) + "},";
  row.messages_json += "{\"role\":\"user\",\"content\":" + json::quote(question) + "}]";
}

}  // namespace tenon::dataset_support
