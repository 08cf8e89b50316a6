// Which of the choices does a text name?
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::multiple_choice {

// What an answer says: the index of one choice, or why it names none or more than one.
struct Answer {
  std::optional<size_t> index;
  std::string fault;
};

// `answer` is the answer alone: "B", "(b)", "**B.**", "\text{(B)}", "$\mathbf{B}$", "option B", "B. Paris", "B) because …", "B because …",
// or the words of a choice. A letter has to stand alone: "A dog" names no choice unless it is the text of one. `texts` may
// be empty, then letters alone count; n_choices is at most 26. A letter with the words of another choice, and two letters,
// name none.
Answer read_answer(std::string_view answer, const std::vector<std::string>& texts, size_t n_choices);

// The choice whose label `answer` is, where all labels are numbers, one for each of `texts`: "2", "(2)", "**2.**", "option 2", "2. Paris" with
// the choice's own words. Nothing: it is none of them, or the labels are no numbers.
std::optional<size_t> index_of_label(std::string_view answer, const std::vector<std::string>& labels,
                                     const std::vector<std::string>& texts);

// Where a completion says its answer, in this order: the last <answer>…</answer>; the last \boxed{…}; what follows the last
// "answer is", "answer:", "答案是" or "答案：" (any case, with * and ** around) up to the line's end; the whole text, if it is one line; the last
// line, else the first, that begins with a letter of a choice. Nothing: nowhere. `answer_part`: of a completion, without its thought.
std::optional<std::string_view> find_answer(std::string_view answer_part);

// Letters and digits, ASCII in lower case, every run of anything else in ASCII one space: two texts that are equal so are the
// same words. Bytes beyond ASCII are kept.
std::string words_of(std::string_view text);

}  // namespace tenon::multiple_choice
