// Data set `fractions`: sums, differences and multiples of fractions with one denominator.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "tenon/dataset.hpp"

namespace {

namespace support = tenon::dataset_support;
constexpr double kTestShare = 0.1;

// numerator / denominator is the result as it is first found, which need not be in lowest terms.
struct Problem {
  std::string text;
  int64_t numerator, denominator;

  std::string worked() const { return std::to_string(numerator) + "/" + std::to_string(denominator); }
  std::string lowest() const {
    const int64_t divisor = std::gcd(numerator, denominator), d = denominator / divisor;
    return std::to_string(numerator / divisor) + (d == 1 ? "" : "/" + std::to_string(d));
  }
};

// Every problem once: a/d + b/d with a and b up to d, a/d - b/d > 0 with a up to 3d/2 and b up to d, m × a/d with m from 2 to 9 and a below d.
std::vector<Problem> problems(int64_t max_denominator) {
  std::vector<Problem> out;
  for (int64_t d = 3; d <= max_denominator; ++d) {
    const std::string over = "/" + std::to_string(d);
    const auto add = [&](int64_t left, const char* sign, int64_t right, int64_t numerator) {
      out.push_back({std::to_string(left) + over + sign + std::to_string(right) + over, numerator, d});
    };
    for (int64_t a = 1; a <= d; ++a)
      for (int64_t b = 1; b <= d; ++b) add(a, " + ", b, a + b);
    for (int64_t a = 2; a <= d + d / 2; ++a)
      for (int64_t b = 1; b <= std::min(a - 1, d); ++b) add(a, " - ", b, a - b);
    for (int64_t m = 2; m <= 9; ++m)
      for (int64_t a = 1; a < d; ++a)
        out.push_back({std::to_string(m) + " × " + std::to_string(a) + over, m * a, d});
  }
  return out;
}

class Fractions {
 public:
  explicit Fractions(tenon::Host host)
      : form_(host), template_(host.str("template")), completion_(host.str("completion")) {
    support::require_names(template_, {"problem"});
    support::require_names(completion_, {"value"});
    const bool test = host.str("split") == "test";
    const std::string seed = "/" + std::to_string(host.i64("seed"));
    problems_ = problems(host.i64("max_denominator"));
    std::erase_if(problems_, [&](const Problem& p) { return support::held_out(p.text, kTestShare) != test; });
    const auto place = [&](const Problem& p) { return support::hash(p.text + seed); };
    std::sort(problems_.begin(), problems_.end(),
              [&](const Problem& a, const Problem& b) { return place(a) < place(b); });
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::PromptForm::check(host, findings);
  }

  uint64_t size() const { return problems_.size(); }

  tenon::Row at(uint64_t index) const {
    const Problem& p = problems_.at(index);
    tenon::Row row;
    form_.set(row, template_.fill([&](const std::string&) { return p.text; }));
    row.completion = completion_.fill([&](const std::string&) { return p.worked(); });
    row.meta_json = "{\"problem\":" + tenon::json::quote(p.text) + ",\"answer\":\"" + p.lowest() + "\"}";
    return row;
  }

 private:
  support::PromptForm form_;
  support::Template template_, completion_;
  std::vector<Problem> problems_;
};

constexpr const char* kSplits[] = {"train", "test", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    Fractions, "fractions", "1.0.0", "Sums, differences and multiples of fractions with one denominator.",
    tenon::integer("max_denominator", "20", "Denominators are from 3 to this.", {.min = "4", .max = "100"}),
    tenon::text("template", "\"What is {problem}?\"", "What is asked; {problem} stands for the problem."),
    tenon::text("completion", R"(" \\boxed{{{value}}}")",
                "The answer, for fine-tuning; {value} stands for it as it is first found: 6/8, not 3/4."),
    support::kAs, support::kSystem,
    tenon::choice("split", kSplits, "\"train\"",
                  "Which problems: a tenth of all, chosen by a hash of their text, is `test`."),
    tenon::integer("seed", "0", "The order; independent of the run's seed.", {.min = "0"}))
