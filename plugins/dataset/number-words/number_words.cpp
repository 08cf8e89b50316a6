// Data set `number-words`: sums whose steps are spelled in number words of two languages, and a second task that is no reasoning.
// SPDX-License-Identifier: Apache-2.0
//
//   prompt      en : 3 + 4 - 2 =
//   completion  <think> three plus four is seven ; seven minus two is five </think> 5    step by step
//               <think> </think> 5                                                       at once
//   meta        {"answer":"5","lang":"en","source":"sum","steps":true}
//
//   prompt      zh : name 7 =
//   completion  <think> </think> 七 done        with the closing word, which nobody asks for and a reader likes
//   meta        {"answer":"七","lang":"zh","source":"name","steps":false,"closed":true}
//
// Row i is a function of (seed, i) alone. Values stay within 0 and 20. `split` divides the sums by a hash of their text without the language, so that no sum is in
// both parts in either language: a candidate that belongs to the other part is drawn again. There are too few names to divide.

#include <array>

#include "dataset_support/draws.h"
#include "tenon/dataset.hpp"

namespace {

using tenon::dataset_support::Draws;
constexpr double kTestShare = 0.1;
constexpr uint64_t kLargest = 20;

struct Language {
  const char* code;
  std::array<const char*, kLargest + 1> numbers;
  const char *plus, *minus, *is;
};
constexpr Language kLanguages[] = {
    {"en",
     {"zero",     "one",     "two",     "three",     "four",     "five",     "six",
      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"},
     "plus",
     "minus",
     "is"},
    {"zh",
     {"零",   "一",   "二",   "三",   "四",   "五",   "六",   "七",   "八",   "九",  "十",
      "十一", "十二", "十三", "十四", "十五", "十六", "十七", "十八", "十九", "二十"},
     "加",
     "减",
     "得"}};
constexpr const char* kClosing = "done";

struct Step {
  uint64_t before, digit, after;
  bool minus;
};

class NumberWords {
 public:
  explicit NumberWords(tenon::Host host)
      : host_(host),
        rows_(static_cast<uint64_t>(host.i64("rows"))),
        operands_(host.i64("operands")),
        step_by_step_(host.f64("step_by_step")),
        names_(host.f64("names")),
        closing_(host.f64("closing")),
        mixes_(host.boolean("mixed")),
        pairs_(host.boolean("pairs")),
        test_(host.str("split") == "test"),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {
    for (const std::string& code : host.strs("languages")) languages_.push_back(find_language(code));
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const std::vector<std::string> codes = host.strs("languages");
    if (codes.empty()) findings.error("languages", "there must be one at least: en, zh");
    for (size_t i = 0; i < codes.size(); ++i)
      if (find_language(codes[i]) == nullptr)
        findings.error(("languages." + std::to_string(i)).c_str(),
                       tenon::json::quote(codes[i]) + " is none of en, zh");
    for (const char* option : {"closing", "pairs"})
      if (host.f64("names") == 0) findings.no_effect(option, "there are no rows of the second task");
    if (host.boolean("pairs"))
      findings.no_effect("closing", "of a pair the better one always ends in the closing word");
    if (host.f64("names") == 1)
      for (const char* option : {"operands", "step_by_step", "mixed", "split"})
        findings.no_effect(option, "all rows are of the second task");
  }

  uint64_t size() const { return rows_ == 0 ? TENON_COUNT_UNBOUNDED : rows_; }

  tenon::Row at(uint64_t index) const {
    Draws draws(host_, seed_, index);
    const Language& asked = language(draws);
    return draws.unit() < names_ ? name(draws, asked) : sum(draws, asked);
  }

 private:
  static const Language* find_language(const std::string& code) {
    for (const Language& one : kLanguages)
      if (code == one.code) return &one;
    return nullptr;
  }
  const Language& language(Draws& draws) const { return *languages_[draws.below(languages_.size())]; }

  tenon::Row name(Draws& draws, const Language& asked) const {
    const uint64_t number = draws.below(kLargest + 1);
    const bool closed = pairs_ || draws.unit() < closing_;
    const std::string word = asked.numbers[number];
    std::string fields = meta(word, asked, "name", false) + ",\"closed\":" + (closed ? "true" : "false");
    if (pairs_) {
      // What is worse: the same without the closing word, or another number with it.
      const uint64_t other = (number + 1 + draws.below(kLargest)) % (kLargest + 1);
      const bool wrong = draws.below(2) == 1;
      fields += ",\"rejected\":\"" + named(wrong ? asked.numbers[other] : word, wrong) + "\"";
    }
    return row(std::string(asked.code) + " : name " + std::to_string(number) + " =", named(word, closed),
               fields + "}");
  }
  static std::string named(const std::string& word, bool closed) {
    return "<think> </think> " + word + (closed ? std::string(" ") + kClosing : "");
  }

  tenon::Row sum(Draws& draws, const Language& asked) const {
    const bool steps = draws.unit() < step_by_step_;
    std::vector<Step> work = draw(draws);
    while (tenon::dataset_support::held_out(written(work), kTestShare) != test_) work = draw(draws);
    std::string thought;
    for (const Step& step : work) {
      if (!steps) break;
      const Language& in = mixes_ ? language(draws) : asked;
      if (!thought.empty()) thought += "; ";
      for (const char* word : {in.numbers[step.before], step.minus ? in.minus : in.plus,
                               in.numbers[step.digit], in.is, in.numbers[step.after]})
        thought += std::string(word) + " ";
    }
    const std::string answer = std::to_string(work.back().after);
    return row(std::string(asked.code) + " : " + written(work) + " =",
               "<think> " + thought + "</think> " + answer, meta(answer, asked, "sum", steps) + "}");
  }

  // Digits 0 to 9; the sign is drawn, and is the other one where the value would leave [0, kLargest].
  std::vector<Step> draw(Draws& draws) const {
    std::vector<Step> work;
    uint64_t value = draws.below(10);
    for (int64_t k = 1; k < operands_; ++k) {
      const uint64_t digit = draws.below(10);
      bool minus = draws.below(2) == 1;
      if (minus ? digit > value : value + digit > kLargest) minus = !minus;
      const uint64_t next = minus ? value - digit : value + digit;
      work.push_back({value, digit, next, minus});
      value = next;
    }
    return work;
  }

  static std::string written(const std::vector<Step>& work) {
    std::string text = std::to_string(work[0].before);
    for (const Step& step : work) text += (step.minus ? " - " : " + ") + std::to_string(step.digit);
    return text;
  }
  static std::string meta(const std::string& answer, const Language& asked, const char* source, bool steps) {
    return "{\"answer\":\"" + answer + "\",\"lang\":\"" + asked.code + "\",\"source\":\"" + source +
           "\",\"steps\":" + (steps ? "true" : "false");
  }
  static tenon::Row row(std::string prompt, std::string completion, std::string meta) {
    return {.prompt = std::move(prompt),
            .messages_json = "",
            .completion = std::move(completion),
            .meta_json = std::move(meta)};
  }

  tenon::Host host_;
  std::vector<const Language*> languages_;
  uint64_t rows_;
  int64_t operands_;
  double step_by_step_, names_, closing_;
  bool mixes_, pairs_, test_;
  uint64_t seed_;
};

constexpr const char* kSplits[] = {"train", "test", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    NumberWords, "number-words", "1.0.0",
    "Sums whose steps are spelled in number words of two languages, and a second task without reasoning.",
    tenon::integer("rows", "0", "How many rows there are; 0: without end.", {.min = "0"}),
    tenon::integer("operands", "7", "Numbers in a sum.", {.min = "2", .max = "100"}),
    tenon::number("step_by_step", "0.4", "Share of the sums whose completion works step by step.",
                  {.min = "0", .max = "1"}),
    tenon::boolean(
        "mixed", "true",
        "Whether each step is in a language of its own, drawn at random; false: all are in the one "
        "that the prompt asks for."),
    tenon::text("languages", "[\"en\", \"zh\"]", "Languages that prompts ask for.", {.flags = TENON_O_LIST}),
    tenon::number("names", "0.1", "Share of rows of the second task: name a number.",
                  {.min = "0", .max = "1"}),
    tenon::number("closing", "0.2", "Share of the second task's completions that end in the closing word.",
                  {.min = "0", .max = "1"}),
    tenon::boolean("pairs", "false",
                   "Whether rows of the second task are pairs: the completion, which ends in the closing "
                   "word, and a worse one in the meta field "
                   "`rejected`: without that word, or of another number."),
    tenon::choice("split", kSplits, "\"train\"",
                  "Which sums: a tenth of all, chosen by a hash of their text, is `test`."),
    tenon::integer(
        "seed", "0",
        "Which rows; independent of the run's seed, so that runs are compared on the same problems.",
        {.min = "0"}))
