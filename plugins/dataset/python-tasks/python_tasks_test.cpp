// Tests of the data set python-tasks: Python agrees with the rows, tests tell a task from its parts, and splits are disjoint.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "task.h"
#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using namespace tenon::python_tasks;

using Options = std::map<std::string, std::string>;

class Rows {
 public:
  explicit Rows(Options options = {})
      : plugin_(tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options)),
        data_(plugin_.ref()) {}
  uint64_t size() const { return data_.count(); }
  std::vector<tenon::Row> all() const { return data_.read(nullptr, 0, size()); }
  tenon::Row first() const { return data_.read(nullptr, 0, 1)[0]; }

 private:
  tenon::testing::Instance<tenon_dataset_vt> plugin_;
  tenon::Dataset data_;
};

std::vector<std::string> tests_of(const tenon::Row& row) {
  std::vector<std::string> out;
  const std::string list = *row.meta("test_list");
  for (std::string_view one : tenon::json::elements(list))
    out.push_back(*tenon::json::text_field("{\"x\":" + std::string(one) + "}", "x"));
  return out;
}

TEST(PythonTasks, PythonAgreesWithTheRows) {
  if (std::system("python3 -c pass > /dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  const auto script =
      std::filesystem::temp_directory_path() / ("tenon-python-tasks-" + std::to_string(::getpid()) + ".py");
  {
    std::ofstream out(script);
    const std::vector<tenon::Row> rows = Rows().all();
    for (size_t i = 0; i < rows.size(); i += 10) {  // a random part: rows have no order
      out << rows[i].prompt << rows[i].completion;
      for (const std::string& test : tests_of(rows[i])) out << test << "\n";
    }
  }
  EXPECT_EQ(std::system(("python3 '" + script.string() + "'").c_str()), 0);
  std::filesystem::remove(script);
}

TEST(PythonTasks, TestsTellATaskFromItsParts) {
  const Task largest_square{Keep::kEven, 0, Change::kSquare, 0, Result::kLargest};
  EXPECT_EQ(words(largest_square), "the largest of the squares of the even numbers");
  const std::vector<int64_t> telling = {3, -4, 5, 2}, without_odd = {-4, 2}, one_is_same = {1, 0, 3};
  EXPECT_TRUE(is_telling(largest_square, telling));
  EXPECT_FALSE(is_telling(largest_square, without_odd));
  EXPECT_FALSE(is_telling(largest_square, one_is_same));  // 0 is its own square
  for (const tenon::Row& row : Rows().all()) {
    const std::string task = *row.meta("task");
    EXPECT_NE(task, "the largest of the positive numbers");
    EXPECT_FALSE(task.ends_with("the absolute values of the positive numbers")) << task;
    EXPECT_EQ(tests_of(row).size(), 8u);
    EXPECT_EQ(row.prompt, "def solve(numbers):\n    \"\"\"Return " + task + ".\"\"\"\n    return");
  }
}

TEST(PythonTasks, SplitsShareNoTaskAndEachTaskIsThereOnce) {
  std::set<std::string> train, test;
  const Rows all_train, all_test(Options{{"split", "\"test\""}});
  for (const tenon::Row& row : all_train.all()) train.insert(*row.meta("task"));
  for (const tenon::Row& row : all_test.all()) test.insert(*row.meta("task"));
  EXPECT_EQ(train.size(), all_train.size());
  EXPECT_EQ(test.size(), all_test.size());
  EXPECT_GT(test.size(), 400u);
  for (const std::string& task : test) EXPECT_EQ(train.count(task), 0u) << task;
}

TEST(PythonTasks, OperationsAreCounted) {
  for (const Task& t : tasks(1, 5))
    EXPECT_EQ((t.keep != Keep::kAll) + (t.change != Change::kNone) + (t.result != Result::kList), 1)
        << words(t);
  EXPECT_LT(Rows(Options{{"operations", "1"}}).size(), Rows(Options{{"operations", "2"}}).size());
  EXPECT_LT(Rows(Options{{"operations", "2"}}).size(), Rows().size());
}

TEST(PythonTasks, ASeedChangesOrderAndTests) {
  const tenon::Row one = Rows(Options{{"seed", "1"}}).first(), again = Rows(Options{{"seed", "1"}}).first(),
                   other = Rows(Options{{"seed", "2"}}).first();
  EXPECT_EQ(one.meta_json, again.meta_json);
  EXPECT_NE(one.meta_json, other.meta_json);
}

TEST(PythonTasks, AChatAsksForAWholeProgram) {
  const tenon::Row row = Rows(Options{{"as", "\"messages\""},
                                      {"template", "\"Write solve(numbers): {task}.\""},
                                      {"completion", R"("def solve(numbers):\n    return {expression}\n")"}})
                             .first();
  EXPECT_NE(row.messages_json.find("Write solve(numbers): " + *row.meta("task")), std::string::npos);
  EXPECT_EQ(row.meta("prompt"), "");
  EXPECT_EQ(row.completion, "def solve(numbers):\n    return " + *row.meta("expression") + "\n");
  EXPECT_THROW(Rows(Options{{"template", "\"{q}\""}}).size(), tenon::Error);
}

}  // namespace
