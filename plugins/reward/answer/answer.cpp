// Reward `answer`: is the completion's answer the row's gold answer? An extractor finds it, a comparison
// judges it.
// SPDX-License-Identifier: Apache-2.0
#include "answer_text/extract.h"
#include "answer_text/number.h"
#include "reward_support/answer_place.h"
#include "tenon/reward.hpp"
#include "utf8/utf8.h"

namespace {

namespace text = tenon::answer_text;

constexpr const char* kExtractors[] = {"after-tag", "between-tags", "after-hash", "last-number",
                                       "boxed",     "whole",        nullptr};
constexpr const char* kGoldExtractors[] = {"whole", "after-hash", "last-number", "boxed", nullptr};
constexpr const char* kComparisons[] = {"numeric", "text", nullptr};

class Answer {
 public:
  explicit Answer(tenon::Host host)
      : place_(host),
        gold_extract_(host.str("gold_extract")),
        field_(host.str("field")),
        numeric_(host.str("compare") == "numeric"),
        ignore_case_(host.boolean("ignore_case")),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")),
        found_(host.f64_if("found").value_or(wrong_)) {
    // From its JSON text, not from a double: 0.3 is 3/10.
    auto tolerance = text::parse_number(host.json("tolerance"));
    if (!tolerance)
      throw tenon::Error("option tolerance: " + host.json("tolerance") +
                         " is not a decimal number of at most 200 digits");
    tolerance_ = *tolerance;
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::reward_support::AnswerPlace::check(host, findings);
    const bool numeric = host.str("compare") == "numeric";
    if (!numeric) findings.no_effect("tolerance", "compare: text has none");
    if (numeric) findings.no_effect("ignore_case", "compare: numeric knows no letters");
  }

  double operator()(const tenon::Sample& sample) const {
    auto row = sample.meta(field_);
    if (!row) tenon::refuse("the row has no gold answer: field \"" + field_ + "\" is absent");
    auto gold = text::find_answer(gold_extract_, *row, place_.marks());
    if (!gold)
      tenon::refuse("no gold answer (" + gold_extract_ + ") in field \"" + field_ + "\": \"" +
                    row->substr(0, 80) + "\"");
    std::optional<text::Rational> right;
    if (numeric_) right = text::parse_number(*gold);
    if (numeric_ && !right)  // before the completion is looked at: it is the row's fault whatever that says
      tenon::refuse("the gold answer \"" + std::string(gold->substr(0, 80)) +
                    "\" is not a number; set compare: text?");
    auto given = place_.find(sample);
    sample.note("found", given ? 1 : 0);
    if (!given) return with_reason(sample, wrong_, "no answer (" + place_.extract() + ")");
    if (!numeric_)
      return same_text(*given, *gold) ? right_ : with_reason(sample, found_, "it says " + shown(*given));
    auto value = text::parse_number(*given);
    if (!value) return with_reason(sample, wrong_, shown(*given) + " is not a number");
    return text::within(*value, *right, tolerance_) ? right_
                                                    : with_reason(sample, found_, "it says " + shown(*given));
  }

 private:
  static double with_reason(const tenon::Sample& sample, double reward, const std::string& why) {
    sample.reason(why);
    return reward;
  }
  static std::string shown(std::string_view answer) { return tenon::utf8::excerpt(answer, 0, 60); }

  bool same_text(std::string_view given, std::string_view gold) const {
    return ignore_case_ ? same_letters(given, gold) : given == gold;
  }

  static bool same_letters(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (lower(a[i]) != lower(b[i])) return false;
    return true;
  }

  tenon::reward_support::AnswerPlace place_;
  std::string gold_extract_, field_;
  bool numeric_, ignore_case_;
  double right_, wrong_, found_;
  text::Rational tolerance_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    Answer, "answer", "1.0.0", "1 if the completion's answer is the gold answer, else 0.",
    tenon::choice("extract", kExtractors, "\"after-tag\"",
                  "Where the answer is: after the last `tag`; between the last `open` and `close`; after the "
                  "last ####; the last number; in the last "
                  "\\boxed{}; the whole completion."),
    tenon::reward_support::kRegionOption, tenon::text("tag", "\">\"", "Of extract: after-tag."),
    tenon::text("open", "\"<answer>\"", "Of extract: between-tags."),
    tenon::text("close", "\"</answer>\"", "Of extract: between-tags."),
    tenon::text("field", "\"answer\"", "Field of the row's meta that holds the gold answer."),
    tenon::choice("gold_extract", kGoldExtractors, "\"whole\"",
                  "Where the gold answer is in that field (GSM8K's own: after-hash)."),
    tenon::choice("compare", kComparisons, "\"numeric\"",
                  "As exact numbers (1,000 = $1000.00; 20% = 20; 6/8 = 0.75), or as text."),
    tenon::number("tolerance", "0",
                  "Of compare: numeric. Largest difference that still counts as equal; 0: exactly equal.",
                  {.min = "0"}),
    tenon::boolean("ignore_case", "false", "Of compare: text. Whether a = A (ASCII letters)."),
    tenon::number("right", "1", "The reward of the gold answer."),
    tenon::number("wrong", "0", "The reward of any other, or of none."),
    tenon::number("found", nullptr,
                  "The reward of another answer that is found where it should be (compare: numeric: a number "
                  "there): a reward for the form. Left out: that of `wrong`."))
