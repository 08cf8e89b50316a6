// Whether a completion's answer is the gold answer, mathematically: the C++ interface of the library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "math_answer/policies.h"

namespace tenon::math_answer {

enum class Verdict {
  kEqual,
  kDifferent,
  kUndecided,           // both were read and neither equality nor difference could be shown
  kUnparsedGold,        // the gold answer is none that can be read
  kUnparsedPrediction,  // no answer was found in the completion, or what was found cannot be read
  kLimit,               // more than the limits allow: bytes, tokens, depth, bits, counted work
};
// "equal", "different", "undecided", "unparsed_gold", "unparsed_prediction", "limit".
const char* verdict_name(Verdict verdict);

// Counted work of one comparison, in units of 50 to 100 ns; the same on every machine.
inline constexpr uint64_t kDefaultWork = 300'000;

struct Result {
  Verdict verdict = Verdict::kUndecided;
  std::string reason;             // a few words
  std::string answer;             // the text that was judged
  std::vector<std::string> path;  // with `explain`: each step, the last first
  bool is_of_gold = false;        // verdict limit: the gold's fault
  uint64_t work = 0;              // units spent
  // Whether a rule was used that asks which of the two is the gold: its digits set the precision, a decimal comma is the answer's alone …
  // Where it was not, neither so nor with the answer as the gold, both verdicts are the same, if both are equal or different.
  bool by_role = false;
};

// A gold answer, read once. Immutable: any thread may use it.
class Gold {
 public:
  Gold(std::string_view text, const Policies& policies);
  ~Gold();
  Gold(Gold&&) noexcept;

  // kEqual: it can be read; else kUnparsedGold or kLimit with the reason.
  const Result& parsed() const;

 private:
  friend Result compare(const Gold&, std::string_view, const Policies&, bool, uint64_t);
  friend class Question;
  friend Result judge(const Gold&, std::string_view, const Policies&, bool, uint64_t);
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// Where the gold answer is in the field of a row.
enum class GoldPlace {
  kAuto,       // as kAfterHash where the field has one ####, else as kBoxed where it has one closed box, else as kWhole
  kWhole,
  kAfterHash,  // behind the last ####, to the end of its line: GSM8K's solutions
  kBoxed,      // in the last box that is closed: MATH's solutions
  kLastNumber,
};
// The gold answer's text; nothing: what the place asks for is not in the field.
std::optional<std::string> find_gold(std::string_view field, GoldPlace place);

// `answer` is an answer alone. Never throws but for lack of memory. Policies must be those of the gold.
Result compare(const Gold& gold, std::string_view answer, const Policies& policies, bool explain = false,
               uint64_t work = kDefaultWork);
// `completion` holds an answer somewhere: the policies `region` and `extract` say where.
Result judge(const Gold& gold, std::string_view completion, const Policies& policies, bool explain = false,
             uint64_t work = kDefaultWork);

// The formulas of a prompt in order, at most the last eight: its math spans without those that ask for a box, or where it has none what looks like
// a formula in its text ("What is 7/20 + 6/20?").
std::vector<std::string> formulas_of(std::string_view prompt);

// What a prompt itself says, beside its gold answer. Immutable: any thread may use it.
class Question {
 public:
  // Reads the prompt's formulas (formulas_of); what cannot be read is left out.
  Question(std::string_view prompt, const Gold& gold, const Policies& policies);

  // Whether the last formula, given as the answer, would be equal to the gold, which is written otherwise.
  bool pays() const { return pays_; }
  // Whether `answer` is one of the formulas, up to brackets, spacing and the order of terms and factors, while the gold is written otherwise.
  bool is_copied(std::string_view answer, const Policies& policies) const;

 private:
  std::vector<uint64_t> forms_;  // of the formulas that are not written as the gold is
  bool pays_ = false;
};

}  // namespace tenon::math_answer
