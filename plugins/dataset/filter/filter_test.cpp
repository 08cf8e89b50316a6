// Tests of the data set filter: each rule alone, the reason that is counted, repeated rows, and what cannot be.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Row row(const std::string& prompt, const std::string& completion = "", const std::string& meta = "{}") {
  return {prompt, "", completion, meta, ""};
}

struct Lab {
  Lab(const std::vector<Row>& rows, const std::string& options)
      : data(rows), host(plugin_component(), R"({"data": "all", )" + options + "}") {
    host.slot("data", data.ref("all"));
    instance.emplace(plugin_component(), host);
  }
  // The prompts that stay.
  std::vector<std::string> kept() const {
    const Dataset left(instance->ref());
    std::vector<std::string> out;
    for (const Row& r : left.read(nullptr, 0, left.count())) out.push_back(r.prompt);
    return out;
  }
  RowSet data;
  FakeHost host;
  std::optional<Instance> instance;
};

// Rows without end; or, where `is_made` is false, rows that a stage is yet to make.
struct Endless {
  bool is_made = true;
  uint64_t size() const { return TENON_COUNT_UNBOUNDED; }
  Row at(uint64_t i) const {
    if (!is_made) throw Error(TENON_E_STATE, "not made yet");
    return row("row " + std::to_string(i % 3));
  }
};

std::vector<std::string> kept(const std::vector<Row>& rows, const std::string& rule) {
  return Lab(rows, R"("rules": [{"name": "r", )" + rule + "}]").kept();
}

TEST(Filter, Expressions) {
  const std::vector<Row> rows = {row("a", "<think>x\ny</think> 1"), row("b", "1"),
                                 row("c", "<think></think> ```")};
  EXPECT_THAT(kept(rows, R"("part": "completion", "matches": "^<think>.*</think>")"), ElementsAre("a", "c"));
  EXPECT_THAT(kept(rows, R"("part": "completion", "lacks": "```")"), ElementsAre("a", "b"));
  EXPECT_THAT(kept(rows, R"("part": "completion", "matches": "think", "lacks": "```")"), ElementsAre("a"));
}

TEST(Filter, WordsAndNumbers) {
  const std::vector<Row> rows = {row("one two"), row("one, two; three!"), row("多少钱呢")};
  EXPECT_THAT(kept(rows, R"("max_words": 3)"), ElementsAre("one two", "one, two; three!"));
  EXPECT_THAT(kept(rows, R"("min_words": 3, "max_words": 3)"), ElementsAre("one, two; three!"));
  const std::vector<Row> rated = {row("a", "", R"({"p": {"rate": 0.5}})"),
                                  row("b", "", R"({"p": {"rate": "0.95"}})"),
                                  row("c", "", R"({"p": {"rate": "high"}})"), row("d")};
  EXPECT_THAT(kept(rated, R"("part": "p.rate", "max": 0.9)"), ElementsAre("a"))
      << "what is no number or not there is out";
  EXPECT_THAT(kept(rated, R"("part": "p.rate", "min": 0.5, "max": 1)"), ElementsAre("a", "b"));
}

TEST(Filter, Languages) {
  const std::string
      english = "How many apples does the farmer have left after selling half of them at the market?",
      german = "Wie viele Äpfel hat der Bauer noch, nachdem er die Hälfte auf dem Markt verkauft hat?",
      chinese = "农民在市场上卖掉一半苹果之后还剩下多少个苹果?";
  const std::vector<Row> rows = {row(english), row(german), row(chinese), row("2 + 2 = ?")};
  EXPECT_THAT(kept(rows, R"("languages": ["en"])"), ElementsAre(english));
  EXPECT_THAT(kept(rows, R"("languages": ["de", "zh"])"), ElementsAre(german, chinese));
}

TEST(Filter, TheFirstRuleThatIsBrokenIsTheReason) {
  const Lab lab(
      {row("long long long", "x"), row("ok", "x"), row("long long", "y"), row("fine", "y")},
      R"("rules": [{"name": "short", "max_words": 1}, {"name": "x", "part": "completion", "lacks": "x"}])");
  EXPECT_THAT(lab.kept(), ElementsAre("fine"));
  ASSERT_EQ(lab.host.logs.size(), 1u);
  EXPECT_EQ(lab.host.logs[0].second,
            "3 of 4 rows of all are left out: short 2 (the first is row 0 of all); x 1 (the first is row 1 "
            "of all)");
  const Row left = Dataset(lab.instance->ref()).read(nullptr, 0, 1)[0];
  EXPECT_EQ(left.meta("lineage"), R"([{"by":"filter","row":3}])");
}

TEST(Filter, OfRepeatedRowsTheFirstStays) {
  const Lab lab({row("What is 2 + 2?", "4"), row("what is 2 2", "four"), row("What is 22?", "4"),
                 row("What is 2 + 2?", "4")},
                R"("unique": ["prompt"])");
  EXPECT_THAT(lab.kept(), ElementsAre("What is 2 + 2?", "What is 22?"));
  EXPECT_THAT(lab.host.logs[0].second, HasSubstr("repeated 2 (the first is row 1 of all)"));
  const Lab both({row("a b", "c"), row("a", "b c"), row("A, b", "C!")},
                 R"("unique": ["prompt", "completion"])");
  EXPECT_THAT(both.kept(), ElementsAre("a b", "a")) << "a word does not move from one part to the other";
}

TEST(Filter, LineageGrows) {
  const Lab lab({row("a", "", R"({"k":1.50,"lineage":[{"by":"mixture"}],"l":[2]})")},
                R"("unique": ["prompt"])");
  EXPECT_EQ(Dataset(lab.instance->ref()).read(nullptr, 0, 1)[0].meta_json,
            R"({"k":1.50,"l":[2],"lineage":[{"by":"mixture"},{"by":"filter","row":0}]})");
  const Lab other({row("a", "", R"({"lineage":"mine"})")}, R"("unique": ["prompt"])");
  EXPECT_EQ(Dataset(other.instance->ref()).read(nullptr, 0, 1)[0].meta_json,
            R"({"lineage":["mine",{"by":"filter","row":0}]})");
}

TEST(Filter, NothingLeftIsAnError) {
  try {
    const Lab lab({row("a b"), row("c d")}, R"("rules": [{"name": "short", "max_words": 1}])");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("data: none of 2 rows of all is left"), HasSubstr("short 2")));
  }
}

TEST(Filter, OfADataSetWithoutEndItsFirstRows) {
  Endless endless;
  auto count = [&](const std::string& options) {
    FakeHost host(plugin_component(), R"({"data": "all", "unique": ["prompt"])" + options + "}");
    host.slot("data", ref_to<DatasetShim<Endless>>(endless, "endless", "numbers"));
    const Instance instance(plugin_component(), host);
    const Dataset data(instance.ref());
    if (!endless.is_made) {
      EXPECT_THROW(data.read(nullptr, 0, 1), Error);
    }
    return data.count();
  };
  EXPECT_EQ(count(R"(, "rows": 50)"), 3u);
  try {
    count("");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("data: numbers has no end; say how many"));
  }
  endless.is_made = false;
  EXPECT_EQ(count(""), TENON_COUNT_UNBOUNDED) << "how many there will be is not known yet";
}

TEST(Filter, OptionsThatCannotBe) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(),
                          FakeHost(plugin_component(), R"({"data": "d")" + options + "}"));
  };
  EXPECT_THAT(findings(""), ElementsAre(HasSubstr("nothing to filter by")));
  EXPECT_THAT(findings(R"(, "rules": [{"name": "a"}])"), ElementsAre(HasSubstr("rules.0: says nothing")));
  EXPECT_THAT(findings(R"(, "rules": [{"name": "a", "matches": "("}])"),
              ElementsAre(HasSubstr("rules.0.matches: regex")));
  EXPECT_THAT(findings(R"(, "rules": [{"name": "a", "languages": ["en", "xx"]}])"),
              ElementsAre(HasSubstr("rules.0.languages.1: \"xx\"")));
  EXPECT_THAT(
      findings(
          R"(, "rules": [{"name": "a", "min": 1}, {"name": "a", "max": 2}, {"name": "repeated", "max": 2}])"),
      ElementsAre(HasSubstr("rules.1.name: two rules"), HasSubstr("rules.2.name: ")));
  EXPECT_THAT(findings(R"(, "rules": [{"name": "a", "min": 3, "max": 2, "min_words": 5, "max_words": 4}])"),
              ElementsAre(HasSubstr("rules.0.min_words: "), HasSubstr("rules.0.min: ")));
  EXPECT_THAT(findings(R"(, "unique": ["prompt"])"), IsEmpty());
}

}  // namespace
}  // namespace tenon::test
