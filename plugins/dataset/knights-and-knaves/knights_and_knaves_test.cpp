// Tests of the data set knights-and-knaves: a solver that reads the English of a puzzle finds one solution, the row's.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Options = std::map<std::string, std::string>;
using Kinds = std::map<std::string, bool>;  // name to whether a knight

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

std::vector<tenon::Row> rows(Options options, uint64_t begin, uint64_t n) {
  tenon::testing::Instance<tenon_dataset_vt> data(component(), std::move(options));
  return tenon::Dataset(data.ref()).read(nullptr, begin, n);
}

// Whether what `speaker` says is so. Reads the words; knows nothing of how they were made.
bool is_so(const std::string& said, const std::string& speaker, const Kinds& kinds) {
  static const std::regex exactly("Exactly (\\d+) of us are knights"),
      same("(\\w+) and (\\w+) are of the same kind"), if_then("If (.+), then (.+)"),
      joined("(.+) (and|or) (.+)"), plain("(\\w+) (?:am|is) a (knight|knave)");
  auto kind = [&](const std::string& name) { return kinds.at(name == "I" ? speaker : name); };
  std::smatch m;
  if (std::regex_match(said, m, plain)) return kind(m[1]) == (m[2] == "knight");
  if (std::regex_match(said, m, exactly)) {
    int n = 0;
    for (const auto& [name, knight] : kinds) n += knight;
    return n == std::stoi(m[1]);
  }
  if (std::regex_match(said, m, same)) return kind(m[1]) == kind(m[2]);
  if (std::regex_match(said, m, if_then)) return !is_so(m[1], speaker, kinds) || is_so(m[2], speaker, kinds);
  if (!std::regex_match(said, m, joined)) throw std::runtime_error(said);
  const bool a = is_so(m[1], speaker, kinds), b = is_so(m[3], speaker, kinds);
  return m[2] == "and" ? a && b : a || b;
}

struct Solved {
  std::vector<std::string> answers;
  size_t people = 0, clauses = 0;
};

Solved solve(const std::string& question) {
  std::vector<std::pair<std::string, std::string>> said;
  const std::regex says("(\\w+) says: \"([^\"]+)\\.\"");
  for (std::sregex_iterator at(question.begin(), question.end(), says), end; at != end; ++at)
    said.emplace_back((*at)[1], (*at)[2]);
  Solved out;
  out.people = said.size();
  for (const auto& one : said) {
    const std::regex joined(" and | or |If ");
    out.clauses +=
        1 + static_cast<size_t>(std::distance(
                std::sregex_iterator(one.second.begin(), one.second.end(), joined), std::sregex_iterator()));
  }
  for (size_t world = 0; world < size_t{1} << said.size(); ++world) {
    Kinds kinds;
    for (size_t i = 0; i < said.size(); ++i) kinds[said[i].first] = (world >> i & 1) != 0;
    bool fits = true;
    for (const auto& [name, what] : said) fits = fits && is_so(what, name, kinds) == kinds[name];
    if (!fits) continue;
    std::string answer;
    for (const auto& one : said)
      answer += (answer.empty() ? "" : ", ") + std::string(kinds[one.first] ? "knight" : "knave");
    out.answers.push_back(answer);
  }
  return out;
}

TEST(KnightsAndKnaves, EveryPuzzleHasOneSolutionAndItIsTheAnswer) {
  std::map<std::string, size_t> levels;
  std::set<std::string> answers;
  for (const tenon::Row& row : rows({{"max_level", "5"}}, 0, 150)) {
    EXPECT_THAT(solve(row.prompt).answers, ElementsAre(*row.meta("answer"))) << row.prompt;
    EXPECT_EQ(row.completion, "");
    ++levels[*row.meta("level")];
    answers.insert(*row.meta("answer"));
  }
  EXPECT_EQ(levels.size(), 5u);
  EXPECT_GT(answers.size(), 30u);
}

TEST(KnightsAndKnaves, LevelsAreHarderAndHarder) {
  double before_people = 0, before_clauses = 0;
  for (int level = 1; level <= 5; ++level) {
    const std::string text = std::to_string(level);
    double people = 0, clauses = 0;
    for (const tenon::Row& row : rows({{"min_level", text}, {"max_level", text}}, 0, 60)) {
      const Solved solved = solve(row.prompt);
      people += static_cast<double>(solved.people);
      clauses += static_cast<double>(solved.clauses);
      EXPECT_EQ(row.meta("people"), std::to_string(solved.people));
    }
    EXPECT_GT(people, before_people) << level;
    EXPECT_GT(clauses, before_clauses) << level;
    before_people = people, before_clauses = clauses;
  }
}

TEST(KnightsAndKnaves, RowsDependOnIndexAndSeedAndSplitsShareNone) {
  const auto all = rows({}, 0, 40), one = rows({}, 23, 1);
  EXPECT_EQ(one[0].prompt, all[23].prompt);
  EXPECT_NE(rows({{"seed", "1"}}, 23, 1)[0].prompt, all[23].prompt);
  std::set<std::string> train;
  for (const auto& row : rows({{"max_level", "1"}}, 0, 3000)) train.insert(row.prompt);
  for (const auto& row : rows({{"max_level", "1"}, {"split", "\"test\""}}, 0, 300))
    EXPECT_EQ(train.count(row.prompt), 0u);
}

TEST(KnightsAndKnaves, RowsAndTemplateAreAsAsked) {
  tenon::testing::Instance<tenon_dataset_vt> data(component(), {{"rows", "5"}});
  EXPECT_EQ(tenon::Dataset(data.ref()).count(), 5u);
  EXPECT_THROW(tenon::Dataset(data.ref()).read(nullptr, 5, 1), tenon::Error);
  const auto row = rows({{"template", "\"Think. {question}\""}, {"as", "\"messages\""}}, 0, 1)[0];
  EXPECT_THAT(row.messages_json, HasSubstr("Think. On an island"));
  EXPECT_THAT(tenon::testing::findings_of(component(), Options{{"min_level", "4"}, {"template", "\"{q}\""}}),
              ElementsAre(HasSubstr("min_level: is greater than max_level"), HasSubstr("template: ")));
}

}  // namespace
