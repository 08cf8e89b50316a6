// Data set `arithmetic`: questions in words with one or two operations, and short answers.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "stories.h"
#include "tenon/dataset.hpp"

namespace {

namespace support = tenon::dataset_support;
using tenon::arithmetic::Story;
constexpr double kTestShare = 0.1;
constexpr int64_t kLargestFactor = 12;

struct Told {
  std::string_view operations;
  support::Template text;
};

struct Problem {
  std::string question, work;
  int64_t answer;
};

class Arithmetic {
 public:
  explicit Arithmetic(tenon::Host host)
      : host_(host),
        form_(host),
        template_(host.str("template")),
        max_number_(host.i64("max_number")),
        test_(host.str("split") == "test"),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {
    support::require_names(template_, {"question"});
    auto operations = static_cast<size_t>(host.i64("operations"));
    stories_.resize(operations);
    for (const Story& s : tenon::arithmetic::stories())
      if (s.operations.size() <= operations)
        stories_[s.operations.size() - 1].push_back({s.operations, support::Template(s.text)});
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::PromptForm::check(host, findings);
  }

  uint64_t size() const { return TENON_COUNT_UNBOUNDED; }

  tenon::Row at(uint64_t index) const {
    support::Draws draws(host_, seed_, index);
    Problem p = draw(draws);
    while (support::held_out(p.question, kTestShare) != test_) p = draw(draws);
    std::string answer = std::to_string(p.answer);
    tenon::Row row;
    form_.set(row, template_.fill([&](const std::string&) { return p.question; }));
    row.completion = p.work + " The answer is " + answer + ".";
    row.meta_json = "{\"answer\":\"" + answer + "\",\"question\":" + tenon::json::quote(p.question) + "}";
    return row;
  }

 private:
  // One or two operations with equal chance, then a story, then its people, things and numbers; every value
  // on the way is at least 1.
  Problem draw(support::Draws& draws) const {
    const auto& pool = stories_[draws.below(stories_.size())];
    const Told& story = pool[draws.below(pool.size())];
    auto people = tenon::arithmetic::people(), things = tenon::arithmetic::things();
    size_t a = draws.below(people.size()), b = (a + 1 + draws.below(people.size() - 1)) % people.size();
    std::string_view thing = things[draws.below(things.size())];

    bool factors = story.operations[0] == '*';
    int64_t number[3] = {draws.between(2, factors ? std::min(kLargestFactor, max_number_) : max_number_), 0,
                         0};
    int64_t value = number[0];
    std::string work;
    for (size_t k = 0; k < story.operations.size(); ++k) {
      char op = story.operations[k];
      // What is taken away leaves something; from 1 nothing can be taken, so such a draw is thrown away.
      int64_t most = op == '*'   ? std::min(kLargestFactor, max_number_)
                     : op == '-' ? std::min(value - 1, max_number_)
                                 : max_number_;
      if (most < (op == '*' ? 2 : 1)) return draw(draws);
      number[k + 1] = draws.between(op == '*' ? 2 : 1, most);
      int64_t next = op == '+'   ? value + number[k + 1]
                     : op == '-' ? value - number[k + 1]
                                 : value * number[k + 1];
      work += (k > 0 ? " " : "") + std::to_string(value) + " " + op + " " + std::to_string(number[k + 1]) +
              " = " + std::to_string(next) + ".";
      value = next;
    }
    std::string question = story.text.fill([&](const std::string& name) -> std::string {
      if (name == "a") return std::string(people[a]);
      if (name == "b") return std::string(people[b]);
      if (name == "o") return std::string(thing);
      return std::to_string(number[name[0] - 'x']);
    });
    return {question, work, value};
  }

  tenon::Host host_;
  support::PromptForm form_;
  support::Template template_;
  int64_t max_number_;
  bool test_;
  uint64_t seed_;
  std::vector<std::vector<Told>> stories_;  // [operations − 1]
};

constexpr const char* kSplits[] = {"train", "test", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    Arithmetic, "arithmetic", "1.0.0", "Questions in words with one or two operations, and short answers.",
    tenon::integer("operations", "2", "Most operations in a question: 1, or 1 and 2 with equal chance.",
                   {.min = "1", .max = "2"}),
    tenon::integer("max_number", "20", "Numbers in a question are at most this; factors at most 12.",
                   {.min = "2", .max = "100000"}),
    tenon::text("template", "\"{question}\"", "What is asked; {question} stands for the question."),
    support::kAs, support::kSystem,
    tenon::choice("split", kSplits, "\"train\"",
                  "Which questions: a tenth of all, chosen by a hash of their text, is `test`."),
    tenon::integer("seed", "0", "Which rows; independent of the run's seed.", {.min = "0"}))
