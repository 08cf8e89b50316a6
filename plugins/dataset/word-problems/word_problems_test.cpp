// Tests of the data set word-problems: a solver that reads the sentences comes to the row's answer, and the work in the completion is true.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
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

std::vector<std::string> sentences(const std::string& text) {
  std::vector<std::string> out{""};
  for (size_t i = 0; i < text.size(); ++i) {
    out.back() += text[i];
    if ((text[i] == '.' || text[i] == '?') && i + 1 < text.size()) out.emplace_back(), ++i;
  }
  return out;
}

// Reads a story as a person would: from the owner's first number on, each sentence changes it or is beside the point.
struct Reader {
  double value = -1;
  int steps = 0, asides = 0;

  explicit Reader(const std::string& question) {
    const std::vector<std::string> all = sentences(question);
    std::istringstream last(all.back());
    std::string how, many, thing, does, owner;
    last >> how >> many >> thing >> does >> owner;
    EXPECT_EQ(how + many, "Howmany") << question;
    for (const std::string& one : all)
      if (one != all.back()) take(one, thing, owner);
  }
  void take(const std::string& text, const std::string& thing, const std::string& owner) {
    std::istringstream words(text);
    double k = 0;
    for (std::string word; words >> word;)
      if (word[0] >= '0' && word[0] <= '9') k = std::stod(word);
    auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
    const double part = has(" half of")                             ? 2
                        : has(" a third of") || has("Then a third") ? 3
                        : has(" a quarter of")                      ? 4
                        : has(" a fifth of")                        ? 5
                                                                    : 0;
    if (text.starts_with(owner + " has ") && has((" " + thing + ".").c_str()) && !has("more")) {
      value = k;
      return;
    }
    if (has("years old") || has("kilometres") || has("nobody touches") ||
        (has(" has ") && !has("times as many"))) {
      ++asides;
      return;
    }
    ++steps;
    if (part > 0)
      value -= value / part;
    else if (has("percent"))
      value -= value * k / 100;
    else if (has("times as many"))
      value *= k;
    else if (has("equal"))
      value /= k;
    else if (has("more") || has("another"))
      value += k;
    else if (has("gives") || has("loses") || has("sells") || has("lost"))
      value -= k;
    else
      ADD_FAILURE() << "not understood: " << text;
  }
};

TEST(WordProblems, AReaderComesToTheAnswer) {
  for (int level = 1; level <= 5; ++level)
    for (const tenon::Row& row : rows(of_level(level), 400)) {
      const Reader reader(row.prompt);
      EXPECT_EQ(reader.value, std::stod(*row.meta("answer"))) << row.prompt << "\n" << row.completion;
      EXPECT_EQ(std::to_string(reader.steps), *row.meta("steps")) << row.prompt;
      EXPECT_EQ(reader.asides, level < 4 ? 0 : level - 3) << row.prompt;
      EXPECT_GE(reader.value, 1);
      EXPECT_EQ(row.prompt.find_first_of("{}"), std::string::npos);
    }
}

TEST(WordProblems, TheWorkIsTrueAndEndsInTheAnswer) {
  for (const tenon::Row& row : rows({{"max_level", "5"}}, 1000)) {
    const std::string ending = " The answer is " + *row.meta("answer") + ".";
    ASSERT_TRUE(row.completion.ends_with(ending)) << row.completion;
    double z = 0;
    for (const std::string& one :
         sentences(row.completion.substr(0, row.completion.size() - ending.size()))) {
      std::istringstream words(one);
      double x = 0;
      words >> x;
      for (std::string op; words >> op && op != "=";) {
        double y = 0;
        words >> y;
        x = op == "+" ? x + y : op == "-" ? x - y : op == "*" ? x * y : x / y;
      }
      words >> z;
      EXPECT_EQ(x, z) << row.completion;
    }
    EXPECT_EQ(z, std::stod(*row.meta("answer")));
  }
}

TEST(WordProblems, HarderLevelsHaveMoreStepsAndLongerTexts) {
  double steps = 0, length = 0;
  for (int level = 1; level <= 5; ++level) {
    double now_steps = 0, now_length = 0;
    for (const tenon::Row& row : rows(of_level(level), 300)) {
      now_steps += std::stod(*row.meta("steps"));
      now_length += static_cast<double>(row.prompt.size());
    }
    EXPECT_GT(now_steps, steps) << level;
    EXPECT_GT(now_length, length) << level;
    steps = now_steps, length = now_length;
  }
}

TEST(WordProblems, OfTheChoicesOneIsRight) {
  std::map<std::string, int> letters;
  for (int level = 1; level <= 5; ++level) {
    Options options = of_level(level);
    options["choices"] = "4";
    for (const tenon::Row& row : rows(options, 200)) {
      const std::string letter = *row.meta("answer"), story = row.prompt.substr(0, row.prompt.find('\n'));
      const std::string list = *row.meta("choices");
      const auto choices = tenon::json::elements(list);
      ASSERT_EQ(choices.size(), 4u);
      const double right = Reader(story).value;
      for (size_t i = 0; i < 4; ++i) {
        const std::string text(choices[i].substr(1, choices[i].size() - 2));
        EXPECT_EQ(std::stod(text) == right, letter == std::string(1, static_cast<char>('A' + i)))
            << row.prompt;
        EXPECT_THAT(row.prompt, HasSubstr("\n" + std::string(1, static_cast<char>('A' + i)) + ") " + text));
      }
      EXPECT_TRUE(row.completion.ends_with("The answer is " + letter + ".")) << row.completion;
      ++letters[letter];
    }
  }
  for (const char* letter : {"A", "B", "C", "D"}) EXPECT_NEAR(letters[letter], 250, 70) << letter;
}

TEST(WordProblems, RowsDependOnIndexAndSeedAndSplitsShareNone) {
  EXPECT_EQ(rows({}, 30)[29].prompt, rows({}, 40)[29].prompt);
  EXPECT_NE(rows({{"seed", "1"}}, 1)[0].prompt, rows({}, 1)[0].prompt);
  std::set<std::string> train;
  Options easy = of_level(1);
  for (const auto& row : rows(easy, 5000)) train.insert(row.prompt);
  easy["split"] = "\"test\"";
  for (const auto& row : rows(easy, 500)) EXPECT_EQ(train.count(row.prompt), 0u);
  EXPECT_GT(train.size(), 4800u);
}

}  // namespace
