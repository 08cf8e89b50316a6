// A question as the model is asked it: text made by a template, given as a plain prompt or as a chat.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/dataset.hpp"

namespace tenon::dataset_support {

inline constexpr const char* kForms[] = {"prompt", "messages", nullptr};
inline constexpr tenon_option kAs = choice("as", kForms, "\"prompt\"",
                                           "prompt: the question is the text that the model continues. "
                                           "messages: it is the user's turn of a chat, and the tokenizer's "
                                           "chat template makes the text.");
inline constexpr tenon_option kSystem =
    text("system", nullptr, "Of as: messages. The system message; absent: none.");

// Text with {names}; {{ and }} are braces.
class Template {
 public:
  // Throws Error (naming the option `template`) for a brace that is not closed, an empty name or a stray }.
  explicit Template(std::string_view text);
  const std::vector<std::string>& names() const { return names_; }
  // value(name) gives the text of a name.
  std::string fill(const std::function<std::string(const std::string&)>& value) const;

 private:
  std::vector<std::string> literals_,
      names_;  // literals_[0] names_[0] literals_[1] … ; one literal more than names
};

// Throws Error unless all of the template's names are among the allowed ones.
void require_names(const Template& t, std::initializer_list<std::string_view> allowed);

class PromptForm {
 public:
  explicit PromptForm(const Host& host);
  // Rules between kAs and kSystem.
  static void check(const Host& host, Findings& findings);
  // Sets the row's prompt or messages.
  void set(Row& row, std::string question) const;

 private:
  bool messages_;
  std::string system_;
};

}  // namespace tenon::dataset_support
