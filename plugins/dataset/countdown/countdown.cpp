// Data set `countdown`: reach a target with each of a few numbers used once. Every row has a solution.
// SPDX-License-Identifier: Apache-2.0
//
// The game of TinyZero (github.com/Jiayi-Pan/TinyZero), made backwards: two of the numbers are joined by an
// operation, and so on until one is left; that is the target, and the expression that gave it is the
// solution. Values inside are positive integers; a division has no remainder.

#include <algorithm>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "tenon/dataset.hpp"

namespace {

namespace support = tenon::dataset_support;
constexpr double kTestShare = 0.1;

struct Problem {
  std::vector<int64_t> numbers;
  int64_t target;
  std::string solution;
};

struct Term {
  int64_t value;
  std::string text;
};

class Countdown {
 public:
  explicit Countdown(tenon::Host host)
      : host_(host),
        form_(host),
        template_(host.str("template")),
        min_numbers_(host.i64("min_numbers")),
        max_numbers_(host.i64("max_numbers")),
        max_number_(host.i64("max_number")),
        max_target_(host.i64("max_target")),
        test_(host.str("split") == "test"),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {
    support::require_names(template_, {"numbers", "target"});
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::PromptForm::check(host, findings);
    if (host.i64("min_numbers") > host.i64("max_numbers"))
      findings.error("min_numbers", "is greater than max_numbers");
  }

  uint64_t size() const { return TENON_COUNT_UNBOUNDED; }

  tenon::Row at(uint64_t index) const {
    support::Draws draws(host_, seed_, index);
    Problem p = draw(draws);
    while (!usable(p) || support::held_out(key(p), kTestShare) != test_) p = draw(draws);
    std::string list = join(p.numbers, ", ");
    tenon::Row row;
    form_.set(row, template_.fill([&](const std::string& name) {
      return name == "numbers" ? list : std::to_string(p.target);
    }));
    row.meta_json = "{\"nums\":[" + join(p.numbers, ",") + "],\"target\":" + std::to_string(p.target) +
                    ",\"solution\":\"" + p.solution + "\"}";
    return row;
  }

 private:
  Problem draw(support::Draws& draws) const {
    Problem p;
    std::vector<Term> terms;
    for (int64_t n = draws.between(min_numbers_, max_numbers_); n > 0; --n) {
      p.numbers.push_back(draws.between(1, max_number_));
      terms.push_back({p.numbers.back(), std::to_string(p.numbers.back())});
    }
    while (terms.size() > 1) {
      Term a = take(terms, draws), b = take(terms, draws);
      terms.push_back(joined(a, b, draws, terms.empty()));
    }
    p.target = terms[0].value;
    p.solution = terms[0].text;
    return p;
  }

  static Term take(std::vector<Term>& terms, support::Draws& draws) {
    size_t i = draws.below(terms.size());
    Term t = terms[i];
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(i));
    return t;
  }

  // a op b, the operation drawn among those that leave a positive integer of a moderate size; + always does.
  static Term joined(const Term& a, const Term& b, support::Draws& draws, bool outermost) {
    constexpr int64_t kLargest = 1000000000;
    char operations[4];
    size_t n = 0;
    operations[n++] = '+';
    if (a.value > b.value) operations[n++] = '-';
    if (a.value <= kLargest / b.value) operations[n++] = '*';
    if (a.value % b.value == 0) operations[n++] = '/';
    char op = operations[draws.below(n)];
    int64_t value = op == '+'   ? a.value + b.value
                    : op == '-' ? a.value - b.value
                    : op == '*' ? a.value * b.value
                                : a.value / b.value;
    std::string text = a.text + " " + op + " " + b.text;
    return {value, outermost ? text : "(" + text + ")"};
  }

  // The target is in range, and not simply one of the numbers.
  bool usable(const Problem& p) const {
    return p.target <= max_target_ &&
           std::find(p.numbers.begin(), p.numbers.end(), p.target) == p.numbers.end();
  }

  // Equal for problems that differ in the order of their numbers alone.
  static std::string key(const Problem& p) {
    std::vector<int64_t> sorted = p.numbers;
    std::sort(sorted.begin(), sorted.end());
    return join(sorted, ",") + "=" + std::to_string(p.target);
  }
  static std::string join(const std::vector<int64_t>& numbers, const char* between) {
    std::string out;
    for (int64_t n : numbers) out += (out.empty() ? "" : between) + std::to_string(n);
    return out;
  }

  tenon::Host host_;
  support::PromptForm form_;
  support::Template template_;
  int64_t min_numbers_, max_numbers_, max_number_, max_target_;
  bool test_;
  uint64_t seed_;
};

constexpr const char* kSplits[] = {"train", "test", nullptr};
constexpr const char* kTemplate =
    "\"Using each of the numbers {numbers} exactly once, with +, -, *, / and parentheses, write an "
    "expression that equals {target}. "
    "Give the expression between <answer> and </answer>.\"";

}  // namespace

TENON_DATASET_PLUGIN(
    Countdown, "countdown", "1.0.0", "Reach a target with each of a few numbers used once.",
    tenon::integer("min_numbers", "3", "Fewest numbers in a problem.", {.min = "2", .max = "8"}),
    tenon::integer("max_numbers", "4", "Most numbers in a problem.", {.min = "2", .max = "8"}),
    tenon::integer("max_number", "99", "Numbers are drawn from 1 to this.", {.min = "4", .max = "10000"}),
    tenon::integer("max_target", "999", "Targets are from 1 to this.", {.min = "10", .max = "1000000000"}),
    tenon::text("template", kTemplate, "The question; {numbers} and {target} stand for the problem's."),
    support::kAs, support::kSystem,
    tenon::choice("split", kSplits, "\"train\"",
                  "Which problems: a tenth of all, chosen by a hash of numbers and target, is `test`."),
    tenon::integer("seed", "0", "Which rows; independent of the run's seed.", {.min = "0"}))
