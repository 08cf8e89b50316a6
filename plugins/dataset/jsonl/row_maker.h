// From the JSON object of a line to a row.
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

namespace tenon::jsonl {

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

}  // namespace tenon::jsonl
