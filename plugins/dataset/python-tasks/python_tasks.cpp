// Data set `python-tasks`: small Python functions on a list of numbers, described in words, with tests.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataset_support/draws.h"
#include "dataset_support/prompt_form.h"
#include "task.h"
#include "tenon/dataset.hpp"

namespace {

namespace support = tenon::dataset_support;
using tenon::python_tasks::Task;
constexpr double kTestShare = 0.1;
constexpr uint64_t kTests = 8;  // of a row
constexpr int64_t kLargestInput = 20;

class PythonTasks {
 public:
  explicit PythonTasks(tenon::Host host)
      : host_(host),
        form_(host),
        template_(host.str("template")),
        completion_(host.str("completion")),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {
    support::require_names(template_, {"task"});
    support::require_names(completion_, {"expression"});
    const bool test = host.str("split") == "test";
    std::vector<std::pair<uint64_t, Task>> order;
    for (const Task& task : tenon::python_tasks::tasks(host.i64("operations"), host.i64("max_number"))) {
      const std::string words = tenon::python_tasks::words(task);
      if (support::held_out(words, kTestShare) == test && can_be_tested(task))
        order.emplace_back(support::hash(words + "/" + std::to_string(seed_)), task);
    }
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [place, task] : order) tasks_.push_back(task);
    if (tasks_.empty())
      throw tenon::Error(TENON_E_INVALID,
                         "split: no task of these options is in this part; raise max_number "
                         "or operations");
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::PromptForm::check(host, findings);
  }

  uint64_t size() const { return tasks_.size(); }

  tenon::Row at(uint64_t index) const {
    const Task& task = tasks_.at(index);
    const std::string words = tenon::python_tasks::words(task);
    const std::string expression = tenon::python_tasks::expression(task);
    tenon::Row row;
    form_.set(row, template_.fill([&](const std::string&) { return words; }));
    row.completion = completion_.fill([&](const std::string&) { return expression; });
    std::string tests;
    support::Draws draws(host_, seed_, index);
    for (uint64_t i = 0; i < kTests; ++i) {
      std::vector<int64_t> numbers = input(draws);
      while (!is_telling(task, numbers)) numbers = input(draws);
      const std::string assertion =
          "assert solve(" + tenon::python_tasks::literal(numbers) + ") == " + literal(value(task, numbers));
      tests += (i > 0 ? "," : "") + tenon::json::quote(assertion);
    }
    // What a completion goes on with; in a chat it is a program of its own.
    row.meta_json = "{\"prompt\":" + tenon::json::quote(row.prompt) +
                    ",\"task\":" + tenon::json::quote(words) +
                    ",\"entry_point\":\"solve\",\"expression\":" + tenon::json::quote(expression) +
                    ",\"test_list\":[" + tests + "]}";
    return row;
  }

 private:
  static std::vector<int64_t> input(support::Draws& draws) {
    std::vector<int64_t> numbers(static_cast<size_t>(draws.between(4, 8)));
    for (int64_t& x : numbers) x = draws.between(-kLargestInput, kLargestInput);
    return numbers;
  }
  // Not every task is one: the largest of the positive numbers is the largest of all. Tests are drawn until they are telling, so enough lists must be.
  bool can_be_tested(const Task& task) const {
    constexpr int kTries = 200, kWanted = 10;
    support::Draws draws(host_, 0, 0);
    int telling = 0;
    for (int i = 0; i < kTries && telling < kWanted; ++i) telling += is_telling(task, input(draws)) ? 1 : 0;
    return telling == kWanted;
  }

  tenon::Host host_;
  support::PromptForm form_;
  support::Template template_, completion_;
  uint64_t seed_;
  std::vector<Task> tasks_;
};

constexpr const char* kSplits[] = {"train", "test", nullptr};
constexpr const char* kTemplate = R"("def solve(numbers):\n    \"\"\"Return {task}.\"\"\"\n    return")";

}  // namespace

TENON_DATASET_PLUGIN(
    PythonTasks, "python-tasks", "1.0.0",
    "Small Python functions on a list of numbers, described in words, with tests.",
    tenon::integer("operations", "3",
                   "Most operations in a task, of three: keeping some of the numbers, changing each, and a "
                   "result other than the list.",
                   {.min = "1", .max = "3"}),
    tenon::integer("max_number", "12", "Numbers in a task are at most this.", {.min = "2", .max = "20"}),
    tenon::text("template", kTemplate, "What is asked; {task} stands for the task."),
    tenon::text("completion", R"(" {expression}\n")",
                "The answer, for fine-tuning; {expression} stands for the Python expression of the list "
                "numbers."),
    support::kAs, support::kSystem,
    tenon::choice("split", kSplits, "\"train\"",
                  "Which tasks: a tenth of all, chosen by a hash of their words, is `test`."),
    tenon::integer("seed", "0", "Order and tests; independent of the run's seed.", {.min = "0"}))
