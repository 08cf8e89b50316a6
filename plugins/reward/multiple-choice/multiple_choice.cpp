// Reward `multiple-choice`: is the choice that the completion names the right one?
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "choice.h"
#include "reward_support/answer_place.h"
#include "tenon/reward.hpp"

namespace {

namespace choice = tenon::multiple_choice;
constexpr const char* kExtractors[] = {"auto", "between-tags", "boxed", "after-tag", "whole", nullptr};

class MultipleChoice {
 public:
  explicit MultipleChoice(tenon::Host host)
      : place_(host),
        answer_(host.str("answer")),
        choices_(host.str("choices")),
        n_choices_(static_cast<size_t>(host.i64("n_choices"))),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")),
        none_(host.f64_if("none").value_or(wrong_)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::reward_support::AnswerPlace::check(host, findings);
  }

  double operator()(const tenon::Sample& sample) const {
    const std::vector<std::string> texts = texts_of(sample);
    const size_t n = texts.empty() ? n_choices_ : texts.size();
    const size_t gold = gold_of(sample, texts, n);
    const auto said = find(sample);
    const auto label = said ? choice::index_of_label(*said, labels_of(sample), texts) : std::nullopt;
    const choice::Answer given = label  ? choice::Answer{label, {}}
                                 : said ? choice::read_answer(*said, texts, n)
                                        : choice::Answer{std::nullopt, "no answer"};
    sample.note("found", given.index ? 1 : 0);
    if (!given.index) {
      sample.reason(given.fault);
      return none_;
    }
    if (*given.index == gold) return right_;
    sample.reason(std::string("it names ") + static_cast<char>('A' + *given.index));
    return wrong_;
  }

 private:
  std::vector<std::string> texts_of(const tenon::Sample& sample) const {
    std::vector<std::string> texts;
    const auto list = sample.meta(choices_);
    if (!list) return texts;
    const auto inside = list->starts_with('{') ? tenon::json::raw_field(*list, "text") : list;
    if (!inside || !inside->starts_with('['))
      tenon::refuse("field \"" + choices_ + "\" is neither a list nor {\"text\": [...], \"label\": [...]}");
    texts = texts_in(*inside);
    if (texts.size() < 2 || texts.size() > 26)
      tenon::refuse("field \"" + choices_ + "\" has " + std::to_string(texts.size()) +
                    " choices; 2 to 26 can be judged");
    return texts;
  }
  static std::vector<std::string> texts_in(std::string_view list) {
    std::vector<std::string> texts;
    for (std::string_view element : tenon::json::elements(list))
      texts.push_back(element.starts_with('"') ? tenon::json::detail::Scanner{element}.string()
                                               : std::string(element));
    return texts;
  }
  // Of choices that have labels of their own (ARC: {"text": [...], "label": ["A", ...] or ["1", ...]}); else none.
  std::vector<std::string> labels_of(const tenon::Sample& sample) const {
    const auto choices = tenon::json::raw_field(sample.meta_json, choices_);
    if (!choices || !choices->starts_with('{')) return {};
    const auto list = tenon::json::raw_field(*choices, "label");
    return list && list->starts_with('[') ? texts_in(*list) : std::vector<std::string>();
  }
  // The choice with the label of the gold answer.
  std::optional<size_t> labelled(const tenon::Sample& sample) const {
    const std::vector<std::string> labels = labels_of(sample);
    const auto at = std::find(labels.begin(), labels.end(), sample.meta(answer_).value_or(""));
    return at == labels.end() ? std::nullopt : std::optional(static_cast<size_t>(at - labels.begin()));
  }
  // The gold answer is a letter, the words of a choice, its index from 0, or its label.
  size_t gold_of(const tenon::Sample& sample, const std::vector<std::string>& texts, size_t n) const {
    const auto raw = tenon::json::raw_field(sample.meta_json, answer_);
    if (!raw || *raw == "null")
      tenon::refuse("the row has no gold answer: field \"" + answer_ + "\" is absent");
    const std::string text = *sample.meta(answer_);
    if (const auto own = labelled(sample); own && *own < n) return *own;
    if (raw->front() != '"') {
      char* end = nullptr;
      const unsigned long index = std::strtoul(text.c_str(), &end, 10);
      if (*end == '\0' && text[0] != '-' && index < n) return index;
    } else if (const auto gold = choice::read_answer(text, texts, n); gold.index) {
      return *gold.index;
    }
    tenon::refuse("the gold answer \"" + text.substr(0, 40) + "\" is none of " + std::to_string(n) +
                  " choices");
  }
  std::optional<std::string_view> find(const tenon::Sample& sample) const {
    return place_.extract() == "auto" ? choice::find_answer(place_.region(sample)) : place_.find(sample);
  }

  tenon::reward_support::AnswerPlace place_;
  std::string answer_, choices_;
  size_t n_choices_;
  double right_, wrong_, none_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    MultipleChoice, "multiple-choice", "1.0.0", "1 if the completion names the right choice, else 0.",
    tenon::choice("extract", kExtractors, "\"auto\"",
                  "Where the answer is: auto: the last <answer>, \\boxed{}, \"answer is\" "
                  "or a completion of one "
                  "line, in this order; between the last `open` and `close`; the last \\boxed{}; after the "
                  "last `tag`; the whole "
                  "completion."),
    tenon::reward_support::kRegionOption,
    tenon::text("open", "\"<answer>\"", "What stands before the answer."),
    tenon::text("close", "\"</answer>\"", "What stands after it."),
    tenon::text("tag", "\"Answer:\"", "extract: after-tag: what stands before the answer."),
    tenon::text("answer", "\"answer\"",
                "Field of the row's meta with the gold answer: a letter, the words of a choice, or its index "
                "from 0."),
    tenon::text("choices", "\"choices\"",
                "Field of the row's meta with the texts of the choices; a row without it has letters alone."),
    tenon::integer("n_choices", "4", "Choices of a row without the field `choices`.",
                   {.min = "2", .max = "26"}),
    tenon::number("right", "1", "The reward of the right choice."),
    tenon::number("wrong", "0", "The reward of another one."),
    tenon::number("none", nullptr,
                  "The reward where no choice, or more than one, is named. Left out: that of `wrong`."))
