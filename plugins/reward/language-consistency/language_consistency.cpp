// Reward `language-consistency`: the share of a chain of thought that is in the language it should be in.
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948v2, §2.3.2, eq. 7): Num(words of the target language) / Num(words) of the chain of thought, added to
// the reward of the answer. What a word is and how its language is found, plugins/common/language says.

#include "language/consistency.h"
#include "reward_support/think_tags.h"
#include "tenon/reward.hpp"

namespace {

namespace language = tenon::language;
constexpr const char* kRegions[] = {"think", "answer", "whole", nullptr};
constexpr const char* kQuoted[] = {"neutral", "count", nullptr};
constexpr const char* kRepeats[] = {"drop", "count", nullptr};

class LanguageConsistency {
 public:
  static constexpr const char* kDoc =
      "DeepSeek-R1 (arXiv 2501.12948v2) eq. 7, with what the paper leaves open as options. Words: ICU; "
      "languages: scripts, and CLD2 by "
      "sentence where several languages share one.";

  explicit LanguageConsistency(tenon::Host host)
      : field_(host.str("field")),
        region_(host.str("region")),
        min_words_(static_cast<double>(host.i64("min_words"))),
        threshold_(host.f64_if("threshold")),
        rules_{host.str("quoted_terms") == "neutral", host.str("repeats") == "count"} {
    const std::string code = host.str("language");
    if (code == "auto") return;
    fixed_ = language::language_of_code(code);
    if (!fixed_) throw tenon::Error(TENON_E_INVALID, unknown("option language", code));
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const std::string code = host.str("language");
    if (code != "auto" && !language::language_of_code(code)) findings.error("language", unknown("it", code));
    if (code != "auto")
      findings.no_effect("field", "language is " + code + " for all rows; only language: auto looks at them");
  }

  double operator()(const tenon::Sample& sample) const {
    const language::Language target = target_of(sample);
    const language::Counts counts = language::count_words(region_of(sample), sample.prompt, target, rules_);
    const double words = counts.target + counts.foreign;
    const double share = counts.target / std::max(words, min_words_);
    sample.note("target_words", counts.target);
    sample.note("foreign_words", counts.foreign);
    sample.note("neutral_words", counts.neutral);
    sample.note("repeated_words", counts.repeated);
    sample.note("undecided_words", counts.undecided);
    sample.reason(summary(counts, target));
    return threshold_ ? (share >= *threshold_ ? 1 : 0) : share;
  }

 private:
  static std::string unknown(const std::string& what, const std::string& code) {
    return what + ": \"" + code +
           "\" is no language known here: give a code of ISO 639-1 (\"en\", \"zh\"), or auto";
  }
  static std::string summary(const language::Counts& counts, language::Language target) {
    auto count = [](double n) { return std::to_string(static_cast<long long>(n)); };
    std::string out = count(counts.target) + " of " + count(counts.target + counts.foreign) + " words are " +
                      language::code_of(target);
    if (!counts.foreign_language.empty()) out += "; of the others most are " + counts.foreign_language;
    if (counts.undecided > 0) out += "; " + count(counts.undecided) + " cannot be told";
    return out;
  }
  language::Language target_of(const tenon::Sample& sample) const {
    if (fixed_) return *fixed_;
    if (const auto code = field_.empty() ? std::nullopt : sample.meta(field_)) {
      if (const auto named = language::language_of_code(*code)) return *named;
      tenon::refuse(unknown("field \"" + field_ + "\"", code->substr(0, 40)));
    }
    if (const auto detected = language::language_of(sample.prompt)) return *detected;
    tenon::refuse("the prompt's language cannot be told; give the option language, or field " +
                  (field_.empty() ? "lang" : field_));
  }
  std::string_view region_of(const tenon::Sample& sample) const {
    if (region_ == "whole") return sample.completion;
    return region_ == "answer" ? tenon::reward_support::answer_part(sample.prompt, sample.completion)
                               : tenon::reward_support::thought_part(sample.completion);
  }

  std::optional<language::Language> fixed_;
  std::string field_, region_;
  double min_words_;
  std::optional<double> threshold_;
  language::Rules rules_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    LanguageConsistency, "language-consistency", "1.0.0",
    "The share of words of the thought that are in the target language (DeepSeek-R1).",
    tenon::text("language", "\"auto\"",
                "The target language, a code of ISO 639-1 (\"en\", \"zh\"), or auto: the row's own, else "
                "that of its prompt."),
    tenon::text("field", "\"lang\"", "auto: field of the row's meta with its target language; empty: none."),
    tenon::choice(
        "region", kRegions, "\"think\"",
        "Which words: think: before </think>, without tags the whole; answer: after it; whole: all."),
    tenon::integer(
        "min_words", "3",
        "With fewer words of prose than these the share is of these: a thought without words earns nothing.",
        {.min = "1", .max = "100000", .unit = "words"}),
    tenon::number("threshold", nullptr,
                  "All or nothing: 1 from this share on, else 0. Left out: the share itself.",
                  {.min = "0", .max = "1"}),
    tenon::choice(
        "quoted_terms", kQuoted, "\"neutral\"",
        "Foreign words that the prompt has too, where it is in the target language: names and terms."),
    tenon::choice("repeats", kRepeats, "\"drop\"",
                  "Target words that repeat five words which stood before: drop: not counted, so that filler "
                  "does not pay."))
