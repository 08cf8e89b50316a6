// Tests of the data set augment: every way of asking comes, a row's ways are different ones, nothing else of the row changes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Lab {
  Lab(std::vector<Row> rows, const std::string& options)
      : data(std::move(rows)), host(plugin_component(), R"({"data": "d", )" + options + "}") {
    host.slot("data", data.ref("d"));
    instance.emplace(plugin_component(), host);
  }
  std::vector<Row> read(uint64_t begin, uint64_t n) const {
    return Dataset(instance->ref()).read(nullptr, begin, n);
  }
  uint64_t count() const { return Dataset(instance->ref()).count(); }
  RowSet data;
  FakeHost host;
  std::optional<Instance> instance;
};

std::vector<Row> numbered(int n) {
  std::vector<Row> rows;
  for (int i = 0; i < n; ++i)
    rows.push_back({"q" + std::to_string(i), "", "done", R"({"topic":"sums","answer":"1"})", "f:1"});
  return rows;
}

TEST(Augment, EveryWayComesAboutAsOften) {
  const Lab lab(numbered(600), R"x("templates": ["Please: {question}", "{question} ({topic})"])x");
  EXPECT_EQ(lab.count(), 600u);
  std::map<std::string, int> ways;
  for (uint64_t i = 0; i < 600; ++i) {
    const Row row = lab.read(i, 1)[0];
    const std::string q = "q" + std::to_string(i);
    const std::string way = *json::raw_field(json::elements(*row.meta("lineage"))[0], "template") == "0"
                                ? "Please: " + q
                            : row.prompt.ends_with(")") ? q + " (sums)"
                                                        : q;
    EXPECT_EQ(row.prompt, way);
    EXPECT_EQ(row.completion, "done");
    EXPECT_EQ(row.meta("answer"), "1");
    EXPECT_EQ(row.source, "f:1");
    EXPECT_THAT(row.meta_json, HasSubstr("\"row\":" + std::to_string(i) + ",\"place\":\"f:1\""));
    ++ways[way.substr(0, 1) == "P" ? "please" : way.ends_with(")") ? "topic" : "as it is"];
  }
  for (const auto& [way, n] : ways) EXPECT_NEAR(n, 200, 50) << way;
  EXPECT_EQ(ways.size(), 3u);
}

TEST(Augment, TheWaysOfARowAreDifferent) {
  const Lab lab(numbered(20),
                R"("templates": ["a {question}", "b {question}", "c {question}"], "each": 3, "keep": false)");
  EXPECT_EQ(lab.count(), 60u);
  for (uint64_t i = 0; i < 20; ++i) {
    std::set<std::string> prompts;
    for (const Row& row : lab.read(3 * i, 3)) {
      prompts.insert(row.prompt);
      EXPECT_TRUE(row.prompt.ends_with("q" + std::to_string(i)));
    }
    EXPECT_EQ(prompts.size(), 3u);
  }
}

TEST(Augment, OfAChatTheUsersLastMessage) {
  const Lab lab(
      {{"",
        R"([{"role":"system","content":"S"},{"role":"user","content":"a \"b\""}, {"role":"assistant","content":"x"}])",
        "", "", ""}},
      R"("templates": ["Now {question}!"], "keep": false)");
  EXPECT_EQ(
      lab.read(0, 1)[0].messages_json,
      R"([{"role":"system","content":"S"},{"role":"user","content":"Now a \"b\"!"},{"role":"assistant","content":"x"}])");
}

TEST(Augment, TheSeedChooses) {
  auto prompts = [](const std::string& options) {
    std::string out;
    for (const Row& row : Lab(numbered(30), options).read(0, 30)) out += row.prompt;
    return out;
  };
  const std::string ways = R"("templates": ["a {question}", "b {question}"])";
  EXPECT_EQ(prompts(ways), prompts(ways));
  EXPECT_NE(prompts(ways), prompts(ways + R"(, "seed": 1)"));
}

TEST(Augment, MistakesAreNamed) {
  try {
    Lab(numbered(1), R"("templates": ["{question} {none}"], "keep": false)").read(0, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("templates.0: f:1: "), HasSubstr("no field \"none\"")));
  }
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(),
                          FakeHost(plugin_component(), R"({"data": "d", )" + options + "}"));
  };
  EXPECT_THAT(findings(R"("templates": [])"), ElementsAre(HasSubstr("templates: the list is empty")));
  EXPECT_THAT(findings(R"("templates": ["{question}", "x", "{"])"),
              ElementsAre(HasSubstr("templates.1: names nothing"), HasSubstr("templates.2: ")));
  EXPECT_THAT(findings(R"("templates": ["a {question}"], "each": 3)"),
              ElementsAre(HasSubstr("each: there are only 2 ways")));
  EXPECT_THAT(findings(R"("templates": ["a {question}"], "each": 2)"), IsEmpty());
}

}  // namespace
}  // namespace tenon::test
