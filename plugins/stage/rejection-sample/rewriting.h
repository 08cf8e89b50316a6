// Rows that a model rewrites: how it is asked, and where its answer goes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "dataset_support/prompt_form.h"
#include "tenon/stage.hpp"

namespace tenon::rejection {

// The options `template` and `into`. Paraphrase, back-translation of questions out of answers (Li et al., arXiv 2308.06259), solutions in other words (DeepSeek-R1's cold start, arXiv 2501.12948v2, appendix B).
class Rewriting {
 public:
  explicit Rewriting(const Host& host);
  static void check(const Host& host, Findings& findings);

  // The row as the model is asked it: the template with the row's parts, in place of the prompt or, of a chat, as its one turn; without a template the row as it is. Throws TENON_E_INVALID with the reason alone: a
  // part that the row has not.
  Row asked(const Row& row) const;
  // The row with the completion where it goes; nothing: into the prompt, and it says nothing behind its thought.
  std::optional<Row> rewritten(const Row& row, std::string_view completion) const;

 private:
  std::optional<dataset_support::Template> template_;
  bool into_prompt_;
};

}  // namespace tenon::rejection
