// Tests of the data set mixture: shares and counts are as asked, each part's rows come each once an epoch, a row depends on its index alone.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Row> numbered(const std::string& name, int n) {
  std::vector<Row> rows;
  for (int i = 0; i < n; ++i)
    rows.push_back({name + std::to_string(i), "", "", "{\"answer\":\"1\"}", name + ":1"});
  return rows;
}

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options) {
    host.slot("parts/0", a.ref("a"));
    host.slot("parts/1", b.ref("b"));
    host.slot("parts/2", c.ref("c"));
    instance.emplace(plugin_component(), host);
  }
  std::vector<Row> read(uint64_t begin, uint64_t n) const {
    return Dataset(instance->ref()).read(nullptr, begin, n);
  }
  FakeHost host;
  RowSet a{numbered("a", 7)}, b{numbered("b", 3)}, c{numbered("c", 50)};
  std::optional<Instance> instance;
};

const char* kWeights =
    R"({"parts": [{"of": "a", "weight": 2}, {"of": "b", "weight": 1}, {"of": "c", "weight": 0.5}]})";

TEST(Mixture, SharesAreExactInEveryThousandRows) {
  Lab lab(kWeights);
  EXPECT_EQ(Dataset(lab.instance->ref()).count(), TENON_COUNT_UNBOUNDED);
  for (uint64_t block : {0, 1, 5}) {
    std::map<std::string, int> n;
    for (const Row& row : lab.read(block * 1000, 1000)) ++n[*row.meta("source")];
    EXPECT_EQ(n, (std::map<std::string, int>{{"a", 571}, {"b", 286}, {"c", 143}}));  // 4/7, 2/7, 1/7 of 1,000
  }
}

TEST(Mixture, APartsRowsComeAsOftenAsEachOther) {
  Lab lab(kWeights);
  std::vector<std::string> of_a;
  for (const Row& row : lab.read(0, 3000))
    if (row.meta("source") == "a") of_a.push_back(row.prompt);
  std::map<std::string, int> times;
  for (const std::string& prompt : of_a) ++times[prompt];
  EXPECT_EQ(times.size(), 7u);
  for (const auto& [prompt, n] : times) EXPECT_NEAR(n, 1713 / 7.0, 1) << prompt;
}

TEST(Mixture, CountsAreOfAllRows) {
  Lab lab(
      R"({"parts": [{"of": "a", "count": 4}, {"of": "b", "count": 6}, {"of": "c", "count": 1, "name": "rare"}]})");
  EXPECT_EQ(Dataset(lab.instance->ref()).count(), 11u);
  std::map<std::string, std::set<std::string>> prompts;
  std::map<std::string, int> n;
  for (const Row& row : lab.read(0, 11)) {
    prompts[*row.meta("source")].insert(row.prompt);
    ++n[*row.meta("source")];
  }
  EXPECT_EQ(n, (std::map<std::string, int>{{"a", 4}, {"b", 6}, {"rare", 1}}));
  EXPECT_EQ(prompts["a"].size(), 4u) << "different rows";
  EXPECT_EQ(prompts["b"].size(), 3u) << "all rows, twice";
}

TEST(Mixture, ARowDependsOnItsIndexAndSeedAlone) {
  Lab lab(kWeights), other(R"({"parts": ["a", "b", "c"], "seed": 1})"), same(R"({"parts": ["a", "b", "c"]})");
  const std::vector<Row> all = lab.read(990, 30);
  for (uint64_t i : {29, 3, 11}) EXPECT_EQ(lab.read(990 + i, 1)[0].prompt, all[i].prompt);
  auto prompts = [](const std::vector<Row>& rows) {
    std::vector<std::string> out;
    for (const Row& row : rows) out.push_back(row.prompt);
    return out;
  };
  EXPECT_NE(prompts(other.read(0, 30)), prompts(same.read(0, 30)));
}

TEST(Mixture, ARowKeepsItsFieldsAndItsOwnSource) {
  Lab lab(kWeights);
  const Row row = lab.read(0, 1)[0];
  EXPECT_EQ(row.meta("answer"), "1");
  EXPECT_EQ(row.source, *row.meta("source") + ":1");
  RowSet named({{"x", "", "", R"({"source":"own"})"}}), bare({{"y", "", "", ""}}),
      empty({{"z", "", "", "{}"}});
  FakeHost host(plugin_component(), R"({"parts": ["n", "b", "e"]})");
  host.slot("parts/0", named.ref("n"));
  host.slot("parts/1", bare.ref("b"));
  host.slot("parts/2", empty.ref("e"));
  const Instance instance(plugin_component(), host);
  std::map<std::string, std::string> meta;
  for (const Row& one : Dataset(instance.ref()).read(nullptr, 0, 100)) meta[one.prompt] = one.meta_json;
  EXPECT_EQ(meta["x"], R"({"source":"own"})");
  EXPECT_EQ(meta["y"], R"({"source":"b"})");
  EXPECT_EQ(meta["z"], R"({"source":"e"})");
}

TEST(Mixture, OptionsThatCannotBe) {
  auto findings = [](const std::string& parts) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), "{\"parts\": " + parts + "}"));
  };
  EXPECT_THAT(findings("[]"), ElementsAre(HasSubstr("parts: the list is empty")));
  EXPECT_THAT(findings(R"([{"of": "a", "count": 3}, "b"])"),
              ElementsAre(HasSubstr("parts.1: give its `count`")));
  EXPECT_THAT(findings(R"([{"of": "a", "count": 3}, {"of": "b", "count": 3, "weight": 2}])"),
              ElementsAre(HasSubstr("parts.1.weight: ")));
  EXPECT_THAT(findings(R"([{"of": "a", "weight": 1e6}, "b"])"),
              ElementsAre(HasSubstr("parts.1.weight: less than a thousandth")));
  EXPECT_THAT(findings(R"([{"of": "a", "weight": 3}, "b"])"), IsEmpty());
}

// As the rows of a stage that has not run yet are.
struct Unmade {
  uint64_t size() const { return TENON_COUNT_UNBOUNDED; }
  Row at(uint64_t) const { throw Error(TENON_E_STATE, "not before the stage has run"); }
};

// Else whoever reads all rows of the mixture before the first stage, such as a filter, would fail in the middle.
TEST(Mixture, IsYetToBeMadeAsLongAsAnyPartIs) {
  for (const char* parts : {R"([{"of": "a", "count": 4}, {"of": "later", "count": 6}])",
                            R"([{"of": "later", "count": 1}, {"of": "a", "count": 4}])",
                            R"([{"of": "a", "weight": 99}, "later"])"}) {
    FakeHost host(plugin_component(), "{\"parts\": " + std::string(parts) + "}");
    RowSet a(numbered("a", 7));
    Unmade later;
    const bool is_first = std::string(parts).find("later") < std::string(parts).find("\"a\"");
    host.slot(is_first ? "parts/1" : "parts/0", a.ref("a"));
    host.slot(is_first ? "parts/0" : "parts/1", ref_to<DatasetShim<Unmade>>(later, "unmade", "later"));
    const Instance instance(plugin_component(), host);
    const Dataset mixture(instance.ref());
    EXPECT_EQ(mixture.count(), TENON_COUNT_UNBOUNDED);
    for (uint64_t row : {0, 1, 3, 9, 500}) {
      try {
        mixture.read(nullptr, row, 1);
        ADD_FAILURE() << parts << " row " << row;
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), TENON_E_STATE) << e.what();
      }
    }
  }
}

TEST(Mixture, ARowBeyondTheEndIsAnError) {
  Lab lab(R"({"parts": [{"of": "a", "count": 4}, {"of": "b", "count": 6}, {"of": "c", "count": 1}]})");
  EXPECT_EQ(lab.read(10, 1).size(), 1u);
  EXPECT_THROW(lab.read(11, 1), Error);
}

TEST(Mixture, AnEmptyPartIsNamed) {
  FakeHost host(plugin_component(), R"({"parts": ["none"]})");
  RowSet none({});
  host.slot("parts/0", none.ref("none"));
  const Instance instance(plugin_component(), host);
  try {
    Dataset(instance.ref()).read(nullptr, 0, 1);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("none has no rows"));
  }
}

}  // namespace
}  // namespace tenon::test
