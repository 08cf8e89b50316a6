// What procedural tasks with levels of difficulty share: their options, and rows out of problems.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "tenon/dataset.hpp"

namespace tenon::dataset_support {

inline constexpr int64_t kLevels = 5;

inline constexpr const char* kTaskSplits[] = {"train", "test", nullptr};
inline constexpr tenon_option kMinLevel = integer(
    "min_level", "1", "Easiest level of the rows; each row's is drawn evenly, and is `level` in its meta.",
    {.min = "1", .max = "5"});
inline constexpr tenon_option kMaxLevel =
    integer("max_level", "3", "Hardest level of the rows.", {.min = "1", .max = "5"});
inline constexpr tenon_option kTaskTemplate =
    text("template", "\"{question}\"", "What is asked; {question} stands for the question.");
inline constexpr tenon_option kTaskSplit =
    choice("split", kTaskSplits, "\"train\"",
           "Which questions: a tenth of all, by a hash of their text, is `test`.");
inline constexpr tenon_option kTaskSeed =
    integer("seed", "0", "Which rows; independent of the run's seed.", {.min = "0"});
inline constexpr tenon_option kTaskRows = integer("rows", nullptr, "So many rows; absent: without end.",
                                                  {.min = "1", .max = "1000000000000", .unit = "rows"});

inline constexpr tenon_option kTaskChoices = integer("choices", "0",
                                                     "Multiple choice: so many answers to choose from, with "
                                                     "letters, of which one is right; the row's answer is "
                                                     "its letter. 0: the answer is written.",
                                                     {.min = "0", .max = "10"});

struct Problem {
  std::string question, answer;
  std::vector<std::string>
      wrong{};  // of multiple choice, the likeliest first; such as equal the answer or each other are left out
  std::string work{};  // how it is worked out; empty: rows have no completion
  std::string more{};  // further JSON fields of the meta ("\"kind\":\"list\""); may be empty
};

// Rows with the meta {"answer", "level", "question", …}, of multiple choice also "choices"; the completion is the work, a space, and "The answer is <answer>.".
class Task {
 public:
  // with_choices: the component has the option kTaskChoices. Throws Error for a template that names something else.
  explicit Task(const Host& host, bool with_choices = false);
  // Rules between the options above.
  static void check(const Host& host, Findings& findings);

  // TENON_COUNT_UNBOUNDED without the option `rows`.
  uint64_t size() const { return rows_; }
  // The row's problem: draw(draws, level) is asked until one is of the split.
  Row row(uint64_t index, const std::function<Problem(Draws&, int64_t level)>& draw) const;

 private:
  // Makes it multiple choice. False: it has too few wrong answers.
  bool offer_choices(Problem& problem, Draws& draws) const;

  Host host_;
  PromptForm form_;
  Template template_;
  int64_t min_level_, max_level_;
  bool test_;
  uint64_t seed_, rows_;
  size_t choices_;
};

// `all` shuffled (Fisher and Yates).
template <class T>
void shuffle(std::vector<T>& all, Draws& draws) {
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[draws.below(i)]);
}

// One of them.
template <class Range>
const auto& pick(const Range& all, Draws& draws) {
  return all[draws.below(std::size(all))];
}

}  // namespace tenon::dataset_support
