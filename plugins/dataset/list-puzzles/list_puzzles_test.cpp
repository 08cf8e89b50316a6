// Tests of the data set list-puzzles: an interpreter that reads the question comes to the row's answer.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

std::vector<tenon::Row> rows(Options options, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(component(), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, 0, n);
}

Options of_level(int level) {
  return {{"min_level", std::to_string(level)}, {"max_level", std::to_string(level)}};
}

// Follows the question's sentences. Numbers and letters are both ints here.
struct Interpreter {
  std::vector<int> items;
  size_t operations = 0, items_at_first = 0;
  bool numbers = false;

  explicit Interpreter(const std::string& question) {
    size_t begin = 0;
    for (size_t end = question.find(". "); end != std::string::npos;
         begin = end + 2, end = question.find(". ", begin))
      take(question.substr(begin, end - begin));
    EXPECT_EQ(question.substr(begin).find(numbers ? "What is the list now?" : "What are the letters now?"),
              0u)
        << question;
  }
  void take(const std::string& sentence) {
    auto says = [&](const char* words) { return sentence.find(words) != std::string::npos; };
    int k = 0;
    for (size_t i = 0; i < sentence.size(); ++i)
      if (std::isdigit(static_cast<unsigned char>(sentence[i])) &&
          (i == 0 || !std::isdigit(static_cast<unsigned char>(sentence[i - 1]))))
        k = std::stoi(sentence.substr(i));
    if (says("Take the")) {
      numbers = says("list of numbers");
      std::istringstream in(sentence.substr(sentence.find(numbers ? "numbers " : "letters ") + 8));
      if (numbers)
        for (std::string part; in >> part;) items.push_back(std::stoi(part));
      else
        for (char c; in >> c;) items.push_back(c);
      items_at_first = items.size();
      return;
    }
    ++operations;
    auto n = static_cast<size_t>(k);
    auto remove_if = [&](auto f) { items.erase(std::remove_if(items.begin(), items.end(), f), items.end()); };
    auto vowel = [](int c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; };
    if (says("from the smallest") || says("by the alphabet"))
      std::sort(items.begin(), items.end());
    else if (says("from the largest"))
      std::sort(items.rbegin(), items.rend());
    else if (says("reverse"))
      std::reverse(items.begin(), items.end());
    else if (says("keep only the first")) {
      std::set<int> seen;
      remove_if([&](int i) { return !seen.insert(i).second; });
    } else if (says("every even"))
      remove_if([](int i) { return i % 2 == 0; });
    else if (says("every odd"))
      remove_if([](int i) { return i % 2 == 1; });
    else if (says("no vowel"))
      remove_if([&](int c) { return !vowel(c); });
    else if (says("every vowel"))
      remove_if(vowel);
    else if (says("greater than"))
      remove_if([&](int i) { return i > k; });
    else if (says("remove the first"))
      items =
          std::vector<int>(items.begin() + static_cast<ptrdiff_t>(std::min(n, items.size())), items.end());
    else if (says("remove the last"))
      items.resize(items.size() - std::min(n, items.size()));
    else if (says("to the end")) {
      for (size_t i = 0; i < n; ++i) items.push_back(items.front()), items.erase(items.begin());
    } else if (says("add "))
      for (int& i : items) i += k;
    else if (says("multiply"))
      for (int& i : items) i *= k;
    else if (says("later in the alphabet"))
      for (int& c : items)
        for (int i = 0; i < k; ++i) c = c == 'z' ? 'a' : c + 1;
    else if (says("twice")) {
      std::vector<int> out;
      for (int c : items) out.push_back(c), out.push_back(c);
      items = out;
    } else
      ADD_FAILURE() << "not understood: " << sentence;
  }
  std::string answer() const {
    std::string out;
    for (int i : items)
      out += numbers ? (out.empty() ? "" : ", ") + std::to_string(i) : std::string(1, static_cast<char>(i));
    return out;
  }
};

TEST(ListPuzzles, AnInterpreterComesToTheAnswer) {
  std::map<std::string, int> kinds;
  for (int level = 1; level <= 5; ++level)
    for (const tenon::Row& row : rows(of_level(level), 800)) {
      const Interpreter interpreter(row.prompt);
      EXPECT_EQ(interpreter.answer(), *row.meta("answer")) << row.prompt;
      EXPECT_EQ(interpreter.numbers, row.meta("kind") == "numbers");
      EXPECT_FALSE(interpreter.items.empty());
      EXPECT_TRUE(
          row.completion.ends_with(*row.meta("answer") + ". The answer is " + *row.meta("answer") + "."))
          << row.completion;
      ++kinds[*row.meta("kind")];
    }
  EXPECT_NEAR(kinds["numbers"], 2000, 200);
}

TEST(ListPuzzles, HarderLevelsHaveMoreToDo) {
  double before = 0;
  for (int level = 1; level <= 5; ++level) {
    double work = 0;  // items times operations
    for (const tenon::Row& row : rows(of_level(level), 200)) {
      const Interpreter interpreter(row.prompt);
      work += static_cast<double>(interpreter.items_at_first * interpreter.operations);
    }
    EXPECT_GT(work, before) << level;
    before = work;
  }
}

TEST(ListPuzzles, OfTheChoicesOneIsRight) {
  Options options = of_level(4);
  options["choices"] = "4";
  for (const tenon::Row& row : rows(options, 300)) {
    const std::string puzzle = row.prompt.substr(0, row.prompt.find('\n')), list = *row.meta("choices");
    const auto choices = tenon::json::elements(list);
    ASSERT_EQ(choices.size(), 4u);
    EXPECT_EQ((std::set<std::string_view>(choices.begin(), choices.end()).size()), 4u);
    const std::string right = Interpreter(puzzle).answer();
    for (size_t i = 0; i < 4; ++i)
      EXPECT_EQ(choices[i] == "\"" + right + "\"",
                *row.meta("answer") == std::string(1, static_cast<char>('A' + i)))
          << row.prompt;
  }
}

TEST(ListPuzzles, TenChoicesOfTheShortestListsCanBeHad) {
  Options options = of_level(1);
  options["choices"] = "10";
  EXPECT_EQ(rows(options, 50).size(), 50u);
}

TEST(ListPuzzles, KindsSeedsAndSplits) {
  for (const tenon::Row& row : rows({{"kind", "\"letters\""}}, 100)) EXPECT_EQ(row.meta("kind"), "letters");
  EXPECT_EQ(rows({}, 30)[29].prompt, rows({}, 40)[29].prompt);
  EXPECT_NE(rows({{"seed", "1"}}, 1)[0].prompt, rows({}, 1)[0].prompt);
  std::set<std::string> train;
  for (const auto& row : rows(of_level(1), 3000)) train.insert(row.prompt);
  Options test = of_level(1);
  test["split"] = "\"test\"";
  for (const auto& row : rows(test, 300)) EXPECT_EQ(train.count(row.prompt), 0u);
}

}  // namespace
