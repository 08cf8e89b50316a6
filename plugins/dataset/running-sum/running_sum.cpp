// Data set `running-sum`: sums of one-digit numbers, some worked step by step, some answered at once.
// SPDX-License-Identifier: Apache-2.0
//
//   prompt      3+4-2=
//   completion  <3+4=7,7-2=5>5    step by step
//               <>5               at once
//   meta        {"answer":"5","steps":true}
//
// The running value is never negative. Row i is a function of (seed, i) alone. `split` divides the problems
// by a hash of their text, so that no problem is in both parts: a candidate that belongs to the other part is
// drawn again.

#include "dataset_support/draws.h"
#include "tenon/dataset.hpp"

namespace {

using tenon::dataset_support::Draws;
constexpr double kTestShare = 0.1;

struct Problem {
  std::string prompt, steps, answer;
};

class RunningSum {
 public:
  explicit RunningSum(tenon::Host host)
      : host_(host),
        operands_(host.i64("operands")),
        step_by_step_(host.f64("step_by_step")),
        test_(host.str("split") == "test"),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {}

  uint64_t size() const { return TENON_COUNT_UNBOUNDED; }

  tenon::Row at(uint64_t index) const {
    Draws draws(host_, seed_, index);
    bool steps = draws.unit() < step_by_step_;
    Problem p = draw(draws);
    while (tenon::dataset_support::held_out(p.prompt, kTestShare) != test_) p = draw(draws);
    return {.prompt = p.prompt,
            .messages_json = "",
            .completion = "<" + (steps ? p.steps : "") + ">" + p.answer,
            .meta_json = "{\"answer\":\"" + p.answer + "\",\"steps\":" + (steps ? "true" : "false") + "}"};
  }

 private:
  // Digits 0 to 9; the sign is drawn, and is + where - would go below zero.
  Problem draw(Draws& draws) const {
    uint64_t value = draws.below(10);
    Problem p{std::to_string(value), "", ""};
    for (int64_t k = 1; k < operands_; ++k) {
      uint64_t digit = draws.below(10);
      bool minus = draws.below(2) == 1 && digit <= value;
      uint64_t next = minus ? value - digit : value + digit;
      std::string term = (minus ? "-" : "+") + std::to_string(digit);
      p.prompt += term;
      if (k > 1) p.steps += ',';
      p.steps += std::to_string(value) + term + "=" + std::to_string(next);
      value = next;
    }
    p.prompt += '=';
    p.answer = std::to_string(value);
    return p;
  }

  tenon::Host host_;
  int64_t operands_;
  double step_by_step_;
  bool test_;
  uint64_t seed_;
};

constexpr const char* kSplits[] = {"train", "test", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    RunningSum, "running-sum", "1.0.0", "Sums of one-digit numbers, worked step by step or answered at once.",
    tenon::integer("operands", "7", "Numbers in a sum.", {.min = "2", .max = "100"}),
    tenon::number("step_by_step", "0.4", "Share of rows whose completion works step by step.",
                  {.min = "0", .max = "1"}),
    tenon::choice("split", kSplits, "\"train\"",
                  "Which problems: a tenth of all, chosen by a hash of their text, is `test`."),
    tenon::integer(
        "seed", "0",
        "Which rows; independent of the run's seed, so that runs are compared on the same problems.",
        {.min = "0"}))
