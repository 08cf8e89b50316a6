// Tests of the data set active: the rows with the greatest vote entropy, by hand-made votes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Row sample(int row, const std::string& completion) {
  return {"q" + std::to_string(row), "", completion, R"({"provenance":{"row":)" + std::to_string(row) + "}}",
          ""};
}

struct Lab {
  Lab(const std::vector<Row>& kept_rows, const std::vector<Row>& rejected_rows,
      const std::string& options = "")
      : data(prompts()),
        kept(kept_rows),
        rejected(rejected_rows),
        host(plugin_component(), R"({"data": "d", "samples": ["k", "r"])" + options + "}") {
    host.slot("data", data.ref("d"));
    host.slot("samples/0", kept.ref("k"));
    host.slot("samples/1", rejected.ref("r"));
    instance.emplace(plugin_component(), host);
  }
  static std::vector<Row> prompts() {
    std::vector<Row> rows;
    for (int i = 0; i < 6; ++i)
      rows.push_back({"q" + std::to_string(i), "", "", R"({"answer":"1"})", "f:" + std::to_string(i + 1)});
    return rows;
  }
  std::vector<std::string> left() const {
    const Dataset all(instance->ref());
    std::vector<std::string> out;
    for (const Row& row : all.read(nullptr, 0, all.count())) out.push_back(row.prompt);
    return out;
  }
  RowSet data, kept, rejected;
  FakeHost host;
  std::optional<Instance> instance;
};

// Row 0: agreed; 1: 3 to 1; 2: 2 to 2; 3: all differ; 4: one vote; 5: none.
const std::vector<Row> kKept = {sample(0, "so\n7"), sample(1, "5"), sample(2, "3"), sample(3, "1"),
                                sample(4, "2")};
const std::vector<Row> kRejected = {sample(0, "7 "), sample(0, "thus\n 7\n"), sample(0, "7"), sample(1, "5"),
                                    sample(1, "5"),  sample(1, "6"),          sample(2, "3"), sample(2, "4"),
                                    sample(2, "4"),  sample(3, "2"),          sample(3, "3"), sample(3, "4")};

TEST(Active, TheLeastAgreedFirst) {
  EXPECT_THAT(Lab(kKept, kRejected, R"(, "keep": 0.25)").left(), ElementsAre("q3"));
  EXPECT_THAT(Lab(kKept, kRejected).left(), ElementsAre("q3", "q2"));
  const Lab all(kKept, kRejected, R"(, "keep": 1)");
  EXPECT_THAT(all.left(), ElementsAre("q3", "q2", "q1")) << "where all agree there is nothing to learn from";
  EXPECT_THAT(all.host.logs[0].second, AllOf(HasSubstr("3 of 6 rows of d are kept; 4 had votes, 1 too few")));
  const Row row = Dataset(all.instance->ref()).read(nullptr, 2, 1)[0];
  EXPECT_EQ(row.source, "f:2");
  EXPECT_EQ(row.meta("answer"), "1");
  const std::string lineage = *row.meta("lineage");
  const auto one = json::elements(lineage)[0];
  EXPECT_EQ(*json::raw_field(one, "row"), "1");
  EXPECT_EQ(*json::raw_field(one, "votes"), "4");
  EXPECT_NEAR(*json::number_field(one, "vote_entropy"), -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-5);
}

TEST(Active, VotesByExpression) {
  const std::vector<Row> rows = {sample(0, "<answer>1</answer> a"), sample(0, "<answer> 1 </answer> b"),
                                 sample(1, "x"), sample(1, "<answer>2</answer>")};
  EXPECT_THAT(Lab(rows, {}, R"(, "keep": 1, "vote_regex": "<answer>(.*?)</answer>")").left(),
              ElementsAre("q1"));
}

std::string error_of(const std::vector<Row>& rows) {
  try {
    const Lab lab(rows, {});
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Active, WhatCannotBeIsNamed) {
  EXPECT_THAT(error_of({{"q0", "", "1", "{}", "k:3"}}),
              AllOf(HasSubstr("samples: k:3: "), HasSubstr("(provenance.row)")));
  Row other = sample(0, "1");
  other.prompt = "another";
  EXPECT_THAT(error_of({other}), HasSubstr("row 0 of k is of another question than row 0 of d"));
  Row far = sample(0, "1");
  far.meta_json = R"({"provenance":{"row":123456789012345678901234567890}})";
  EXPECT_THAT(error_of({far}), AllOf(HasSubstr("no row is left"), ::testing::Not(HasSubstr("stoull"))));
  EXPECT_THAT(error_of({sample(0, "1"), sample(0, "1")}), HasSubstr("no row is left: of 1"));
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(),
                          FakeHost(plugin_component(), R"({"data": "d", )" + options + "}"));
  };
  EXPECT_THAT(findings(R"("samples": [])"), ElementsAre(HasSubstr("samples: ")));
  EXPECT_THAT(findings(R"("samples": ["k"], "vote_regex": "(")"), ElementsAre(HasSubstr("vote_regex: ")));
  EXPECT_THAT(findings(R"("samples": ["k"])"), IsEmpty());
}

}  // namespace
}  // namespace tenon::test
