// Tests of the data set countdown: every row's solution uses each number once and gives the target.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

std::vector<tenon::Row> rows(std::map<std::string, std::string> options, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, 0, n);
}

// A calculator for + - * / and parentheses, with a note of every number it meets. Written apart from the
// generator.
class Calculator {
 public:
  explicit Calculator(std::string text) : text_(std::move(text)) {}
  double evaluate() {
    double v = sum();
    EXPECT_EQ(at_, text_.size()) << text_;
    return v;
  }
  std::vector<int64_t> numbers;

 private:
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  double sum() {
    double v = product();
    for (char c = peek(); c == '+' || c == '-'; c = peek()) ++at_, v += c == '+' ? product() : -product();
    return v;
  }
  double product() {
    double v = atom();
    for (char c = peek(); c == '*' || c == '/'; c = peek()) {
      ++at_;
      double right = atom();
      v = c == '*' ? v * right : v / right;
    }
    return v;
  }
  double atom() {
    if (peek() == '(') {
      ++at_;
      double v = sum();
      EXPECT_EQ(peek(), ')');
      ++at_;
      return v;
    }
    int64_t v = 0;
    while (peek() >= '0' && peek() <= '9') v = v * 10 + (text_[at_++] - '0');
    numbers.push_back(v);
    return static_cast<double>(v);
  }
  std::string text_;
  size_t at_ = 0;
};

std::vector<int64_t> list(const std::string& json) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < json.size(); ++i)
    if (json[i] >= '0' && json[i] <= '9') {
      size_t used = 0;
      out.push_back(std::stoll(json.substr(i), &used));
      i += used;
    }
  return out;
}

TEST(Countdown, EveryRowHasASolution) {
  std::set<size_t> sizes;
  std::string operations;
  for (const auto& row : rows({}, 3000)) {
    auto numbers = list(*row.meta("nums"));
    int64_t target = std::stoll(*row.meta("target"));
    Calculator calculator(*row.meta("solution"));
    EXPECT_EQ(calculator.evaluate(), static_cast<double>(target)) << row.meta_json;
    auto used = calculator.numbers;
    std::sort(used.begin(), used.end());
    auto given = numbers;
    std::sort(given.begin(), given.end());
    EXPECT_EQ(used, given) << row.meta_json;
    EXPECT_TRUE(target >= 1 && target <= 999);
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), target), 0);
    for (int64_t n : numbers) EXPECT_TRUE(n >= 1 && n <= 99);
    sizes.insert(numbers.size());
    operations += *row.meta("solution");
    EXPECT_NE(row.prompt.find(" " + std::to_string(target) + "."), std::string::npos);
  }
  EXPECT_EQ(sizes, (std::set<size_t>{3, 4}));
  for (char op : {'+', '-', '*', '/'}) EXPECT_NE(operations.find(op), std::string::npos) << op;
}

TEST(Countdown, SplitsShareNoProblemWhateverTheOrderOfItsNumbers) {
  auto keys = [](const char* split) {
    std::set<std::string> out;
    for (const auto& row :
         rows({{"split", split}, {"max_numbers", "2"}, {"min_numbers", "2"}, {"max_number", "20"}}, 2000)) {
      auto numbers = list(*row.meta("nums"));
      std::sort(numbers.begin(), numbers.end());
      out.insert(std::to_string(numbers[0]) + " " + std::to_string(numbers[1]) + " " + *row.meta("target"));
    }
    return out;
  };
  auto train = keys("\"train\""), test = keys("\"test\"");
  EXPECT_GT(test.size(), 20u);
  for (const auto& k : test) EXPECT_EQ(train.count(k), 0u) << k;
}

TEST(Countdown, TemplateAndChat) {
  auto row =
      rows({{"template", "\"{numbers} -> {target}?\""}, {"as", "\"messages\""}, {"system", "\"Calculate.\""}},
           1)[0];
  EXPECT_EQ(row.prompt, "");
  EXPECT_EQ(row.messages_json.find(R"([{"role":"system","content":"Calculate."},{"role":"user","content":")"),
            0u);
  EXPECT_NE(row.messages_json.find("-> " + *row.meta("target") + "?"), std::string::npos);
  EXPECT_THROW(rows({{"template", "\"{nums}\""}}, 1), tenon::Error);
}

TEST(Countdown, Check) {
  auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_EQ(tenon::testing::findings_of(component, {}).size(), 0u);
  EXPECT_EQ(tenon::testing::findings_of(component, {{"min_numbers", "5"}}).size(), 1u);
}

}  // namespace
