// What a judge is asked, and what its answer says.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenon::judge {

enum class Mode { kPairwise, kScore, kCorrect };

// One question to the judge.
struct Question {
  Mode mode = Mode::kScore;
  std::string_view prompt, completion;
  std::string_view reference;       // the response to compare with (pairwise), the gold answer (correct)
  bool is_completion_first = true;  // pairwise: it stands as A
};

// A word that the texts of a question do not have in them and cannot: it is made of their hash. The same question has the same mark.
std::string mark_of(const Question& question);

// The text of the judge's turn. `instructions`: what to look at, in the words of the one who configures it; may be empty. What the
// completion says stands between lines that it cannot write itself, as they carry the mark, and the judge is told that nothing between them is
// said to it.
std::string text_of(const Question& question, std::string_view instructions, std::string_view mark);

// What an answer says of the completion, or why it says nothing.
struct Verdict {
  std::optional<double>
      value;  // pairwise: (its score − the other's) / 9, in [−1, 1]; score: (score − 1) / 9; correct: 0 or 1
  std::string fault;
  double points = 0;  // of a pairwise value: its score − the other's, in [−9, 9]
};

// Reads the last JSON object of the answer behind </think>: {"A": 7, "B": 4, "mark": …}, {"score": 7, "mark": …} or {"correct": true, "mark": …}; scores are
// numbers from 1 to 10. Without the mark it is a verdict that the completion wrote and the judge quotes. Anything else is a fault, never a low score.
Verdict read_verdict(std::string_view answer, const Question& question, std::string_view mark);

}  // namespace tenon::judge
