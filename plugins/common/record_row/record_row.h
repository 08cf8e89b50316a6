// From a record, as a JSON object, to a row: which fields are what, for the data sets that read files of records.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataset_support/field_path.h"
#include "dataset_support/prompt_form.h"
#include "pattern/pattern.h"
#include "tenon/dataset.hpp"

namespace tenon::record_row {

// The options of the fields, in this order in each table.
inline constexpr tenon_option kPrompt =
    text("prompt", nullptr,
         "The field with the question; or give `template` or `messages`. Here and below a field is a name, "
         "or a path into objects and lists: `conversations.0.value`, `choices.-1`.");
inline constexpr tenon_option kTemplate =
    text("template", nullptr, "The question, with {field} for the fields of the row; {{ and }} are braces.");
inline constexpr tenon_option kMessages =
    text("messages", nullptr,
         "The field with a chat: a list of {role, content}, used as it is, or of {from, value}.");
inline constexpr tenon_option kCompletion =
    text("completion", nullptr,
         "The field with what training puts the loss on: a text, a message, or a list of messages, whose "
         "last one it is. Absent: rows have none.");
inline constexpr tenon_option kAnswer =
    text("answer", nullptr,
         "The field that becomes `answer` in the row's meta; absent: meta is the record as it stands.");
inline constexpr tenon_option kAnswerRegex =
    text("answer_regex", nullptr,
         "PCRE2 regular expression for the answer within that field: its first group, at the last place "
         "where it occurs. For GSM8K: '#### (.+)'.");
inline constexpr tenon_option kRejected =
    text("rejected", nullptr,
         "Preference pairs: the field with what is worse than `completion`; becomes `rejected` in the meta.");
inline constexpr tenon_option kRanked =
    text("ranked", nullptr,
         "Rankings: the field with a list of completions, best first; becomes `ranked` in the meta.");
inline constexpr tenon_option kLabel = text(
    "label", nullptr,
    "Judged completions: the field that says whether `completion` is good; becomes `label` in the meta.");
inline constexpr tenon_option kMargin =
    text("margin", nullptr, "Of pairs: the field with how much better; becomes `margin` in the meta.");

// What the options say of fields. Safe from any thread.
class RowMaker {
 public:
  // Throws Error for a template or a regular expression that cannot be read.
  explicit RowMaker(const Host& host);
  // Rules between the options.
  static void check(const Host& host, Findings& findings);

  // The row of an object (valid JSON), without its place. Throws Error with the reason, naming the field.
  Row row(std::string_view object) const;

 private:
  using Replaced = std::vector<std::pair<std::string, std::string>>;  // field of the meta, JSON

  std::string_view value(std::string_view object, const std::string& field) const;
  std::string answer(std::string_view object) const;
  std::string question(std::string_view object) const;
  std::string meta(std::string_view object, const Replaced& replaced) const;

  dataset_support::PromptForm form_;
  std::optional<dataset_support::Template> template_;
  std::optional<pattern::Pattern> answer_regex_;
  std::string prompt_, messages_, completion_, answer_, rejected_, ranked_, label_, margin_;
};

}  // namespace tenon::record_row
