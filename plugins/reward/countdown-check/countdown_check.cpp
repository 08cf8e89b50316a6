// Reward `countdown-check`: does the expression reach the target with the numbers of the row?
// SPDX-License-Identifier: Apache-2.0
//
// The game of TinyZero (github.com/Jiayi-Pan/TinyZero), whose check matches digits with a regular expression and
// evaluates the text as Python. Here the expression is parsed, and its value is an exact fraction.

#include "answer_text/extract.h"
#include "expression.h"
#include "reward_support/answer_place.h"
#include "tenon/reward.hpp"

namespace {

namespace text = tenon::answer_text;
using tenon::countdown::Rational;

constexpr const char* kExtractors[] = {"between-tags", "after-tag", "boxed", "whole", nullptr};
constexpr const char* kUses[] = {"exactly-once", "at-most-once", nullptr};

class CountdownCheck {
 public:
  static constexpr const char* kDoc =
      "The game of TinyZero. Values are exact fractions: 8/(3-8/3) is 24. A number of the row counts as "
      "often as the "
      "row has it.";

  explicit CountdownCheck(tenon::Host host)
      : place_(host),
        numbers_(host.str("numbers")),
        target_(host.str("target")),
        needs_all_(host.str("use_each") == "exactly-once"),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")),
        valid_(host.f64_if("valid").value_or(wrong_)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::reward_support::AnswerPlace::check(host, findings);
  }

  double operator()(const tenon::Sample& sample) const {
    const std::vector<Rational> given = given_numbers(sample);
    const Rational target = number_of(field(sample, target_), target_);
    const auto answer = place_.find(sample);
    sample.note("found", answer ? 1 : 0);
    if (!answer) return with_reason(sample, wrong_, "no answer");
    const auto result = tenon::countdown::evaluate(*answer, given);
    const bool is_valid = result.fault.empty() && (!needs_all_ || result.numbers.size() == given.size());
    sample.note("valid", is_valid ? 1 : 0);
    if (!result.fault.empty()) return with_reason(sample, wrong_, result.fault);
    if (!is_valid) return with_reason(sample, wrong_, "not all numbers are used");
    if (result.divides_by_zero) return with_reason(sample, valid_, "it divides by zero");
    if (result.value != target)
      return with_reason(sample, valid_, "it is " + result.value.str().substr(0, 40));
    if (result.claimed && *result.claimed != result.value)
      return with_reason(sample, valid_, "its equation is false");
    return right_;
  }

 private:
  static double with_reason(const tenon::Sample& sample, double reward, const std::string& why) {
    sample.reason(why);
    return reward;
  }
  static std::string field(const tenon::Sample& sample, const std::string& name) {
    auto value = sample.meta(name);
    if (!value) tenon::refuse("the row has no field \"" + name + "\"");
    return *value;
  }
  static Rational number_of(const std::string& written, const std::string& field) {
    auto number = text::parse_number(written);
    if (!number) tenon::refuse("field \"" + field + "\": \"" + written.substr(0, 40) + "\" is not a number");
    return *number;
  }
  std::vector<Rational> given_numbers(const tenon::Sample& sample) const {
    const std::string list = field(sample, numbers_);
    if (!list.starts_with('[')) tenon::refuse("field \"" + numbers_ + "\" is not a list");
    std::vector<Rational> numbers;
    for (std::string_view element : tenon::json::elements(list)) {
      if (element.size() >= 2 && element.front() == '"') element = element.substr(1, element.size() - 2);
      numbers.push_back(number_of(std::string(element), numbers_));
      if (numbers.back() < 0)
        tenon::refuse("field \"" + numbers_ + "\" has " + numbers.back().str().substr(0, 40) +
                      ": a negative number cannot be told from a minus sign");
    }
    if (numbers.empty()) tenon::refuse("field \"" + numbers_ + "\" has no numbers");
    return numbers;
  }
  tenon::reward_support::AnswerPlace place_;
  std::string numbers_, target_;
  bool needs_all_;
  double right_, wrong_, valid_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    CountdownCheck, "countdown-check", "1.0.0",
    "1 if the expression reaches the target with the row's numbers, else 0.",
    tenon::choice(
        "extract", kExtractors, "\"between-tags\"",
        "Where the expression is: between the last `open` and `close`; after the last `tag`; in the last "
        "\\boxed{}; the whole completion."),
    tenon::reward_support::kRegionOption,
    tenon::text("open", "\"<answer>\"", "What stands before the expression."),
    tenon::text("close", "\"</answer>\"", "What stands after it."),
    tenon::text("tag", "\"Answer:\"", "extract: after-tag: what stands before the expression."),
    tenon::text("numbers", "\"nums\"", "Field of the row's meta with the numbers, a list."),
    tenon::text("target", "\"target\"", "Field of the row's meta with the target."),
    tenon::choice("use_each", kUses, "\"exactly-once\"", "How often each given number is to be used."),
    tenon::number("right", "1", "The reward of an expression that reaches the target."),
    tenon::number("wrong", "0", "The reward of anything else."),
    tenon::number(
        "valid", nullptr,
        "The reward of an expression that uses the numbers as it should and misses the target (TinyZero: "
        "0.1 for a form). Left out: that of `wrong`."))
