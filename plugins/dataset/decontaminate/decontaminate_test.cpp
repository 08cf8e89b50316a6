// Tests of the data set decontaminate: what shares n words in a row goes and is told, the rest stays with its lineage; held against a search without hashes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "overlap.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Lab {
  Lab(const std::vector<Row>& rows, const std::vector<Row>& exam_rows, const std::string& options = "")
      : data(rows),
        exam(exam_rows),
        host(plugin_component(), R"({"data": "train", "against": ["exam"])" + options + "}") {
    host.slot("data", data.ref("train"));
    host.slot("against/0", exam.ref("exam"));
    instance.emplace(plugin_component(), host);
  }
  std::vector<Row> rows() const {
    const Dataset kept(instance->ref());
    return kept.read(nullptr, 0, kept.count());
  }
  RowSet data, exam;
  FakeHost host;
  std::optional<Instance> instance;
};

Row asked(const std::string& prompt, const std::string& completion = "", const std::string& source = "") {
  return {prompt, "", completion, "{\"answer\":\"1\"}", source};
}

const std::vector<Row> kExam = {asked("Janet has sixteen ducks and sells nine eggs at the market each day."),
                                asked("What is 7 times 8?"), asked("2+2")};

TEST(Decontaminate, TenWordsInARowAreTooMany) {
  Lab lab({asked("A new question about something else entirely, with more than ten words in it."),
           asked("Yes: JANET has, sixteen ducks and sells “nine” eggs at — the farm.", "", "t.jsonl:2"),
           asked("Janet has sixteen ducks and sells nine eggs at. The market is closed."),
           asked("Janet has sixteen ducks and sells nine eggs. At the market each day there is tea."),
           asked("Say it.", "first, what is 7 times 8? It is 56"), asked("2+2")},
          kExam);
  const std::vector<Row> rows = lab.rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].meta("lineage"), R"([{"by":"decontaminate","row":0}])");
  EXPECT_EQ(rows[1].prompt, "2+2") << "two words are not compared";
  EXPECT_EQ(rows[1].meta("lineage"), R"([{"by":"decontaminate","row":5}])");
  EXPECT_EQ(rows[1].meta("answer"), "1");
  ASSERT_EQ(lab.host.logs.size(), 2u);
  EXPECT_THAT(lab.host.logs[0].second, HasSubstr("1 texts of evaluation sets have fewer than three words"));
  EXPECT_EQ(lab.host.logs[1].first, TENON_LOG_WARN);
  EXPECT_THAT(
      lab.host.logs[1].second,
      AllOf(HasSubstr("4 of 6 rows of train are left out"), HasSubstr("(exam 4)"),
            HasSubstr("t.jsonl:2, exam: …\"JANET has, sixteen ducks and sells “nine” eggs at — the\""),
            HasSubstr("row 4 of train, exam: …\"what is 7 times 8\"")));
}

TEST(Decontaminate, NineWordsAreNot) {
  const Lab lab({asked("Janet has sixteen ducks and sells nine eggs. Then she sleeps."),
                 asked("sixteen ducks and sells nine eggs at the market and")},
                {kExam[0]});
  EXPECT_EQ(lab.rows().size(), 2u);
  EXPECT_THAT(lab.host.logs.back().second, HasSubstr("no row of train shares words"));
  const Lab strict({asked("Janet has sixteen ducks and sells nine eggs. Then she sleeps."), asked("other")},
                   {kExam[0]}, R"(, "n": 8)");
  EXPECT_EQ(strict.rows().size(), 1u);
}

TEST(Decontaminate, PartsAreAsAsked) {
  const Row row{"x", "", "", R"({"note": {"text": "what is 7 times 8"}})"};
  EXPECT_EQ(Lab({row, asked("a")}, kExam).rows().size(), 2u);
  EXPECT_EQ(Lab({row, asked("a")}, kExam, R"(, "parts": ["note.text"])").rows().size(), 1u);
  const Row chat{
      "", R"([{"role":"user","content":"tell me:"},{"role":"assistant","content":"What is 7 times 8"}])", "",
      ""};
  EXPECT_EQ(Lab({chat, asked("a")}, kExam).rows().size(), 1u);
}

std::string error_of(const std::vector<Row>& rows, const std::string& options = "") {
  try {
    const Lab lab(rows, kExam, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Decontaminate, NothingLeftAndNothingComparedAreErrors) {
  EXPECT_THAT(error_of({asked("What is 7 times 8?")}), HasSubstr("data: every row of train"));
  EXPECT_THAT(error_of({asked("a")}, R"(, "parts": ["solution"])"),
              HasSubstr("parts: no row of train has any of them (solution)"));
  EXPECT_THAT(error_of({asked("a")}, R"(, "against_parts": ["solution"])"),
              HasSubstr("against.0: no row of exam has any of against_parts (solution)"));
  EXPECT_THAT(
      check_findings(plugin_component(), FakeHost(plugin_component(), R"({"data": "d", "against": []})")),
      ElementsAre(HasSubstr("against: ")));
  EXPECT_THAT(
      check_findings(plugin_component(), FakeHost(plugin_component(), R"({"data": "d", "against": ["e"]})")),
      IsEmpty());
}

TEST(Decontaminate, AnEvaluationSetOfSingleWordsIsNoProtection) {
  try {
    Lab({asked("one two three four")}, {asked("yes"), asked("no thanks")});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("against.0: all 2 texts of exam have fewer than three words"));
  }
}

TEST(Overlap, FindsWhatASearchWithoutHashesFinds) {
  std::mt19937 random(11);
  auto text = [&](size_t n) {
    std::vector<std::string> words(n);
    for (std::string& word : words) word = std::string(1, static_cast<char>('a' + random() % 3));
    return words;
  };
  auto joined = [](const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += word + " ";
    return out;
  };
  size_t found = 0;
  for (int k = 0; k < 2000; ++k) {
    const std::vector<std::string> exam = text(1 + random() % 12), row = text(random() % 80);
    decontaminate::Overlap overlap(6);
    const bool is_compared = overlap.add(joined(exam), 0);
    EXPECT_EQ(is_compared, exam.size() >= 3);
    bool expected = false;
    const size_t n = std::min<size_t>(6, exam.size());
    for (size_t i = 0; is_compared && i + n <= exam.size(); ++i)
      expected |= std::search(row.begin(), row.end(), exam.begin() + static_cast<ptrdiff_t>(i),
                              exam.begin() + static_cast<ptrdiff_t>(i + n)) != row.end();
    const auto match = overlap.find(joined(row));
    ASSERT_EQ(match.has_value(), expected);
    found += expected;
    if (match) {
      EXPECT_EQ(match->size, 2 * n - 1);
    }
  }
  EXPECT_GT(found, 200u);
  EXPECT_LT(found, 1800u);
}

}  // namespace
}  // namespace tenon::test
