// Tests of the table of results: one that README.md quotes, several benchmarks, numbers that are missing.
// SPDX-License-Identifier: Apache-2.0
#include "host/results_table.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace {

using tenon::host::results_table;

std::string table(const char* results) {
  return results_table(boost::json::parse(results).as_object());
}

TEST(ResultsTable, NamesDoNotCommandTheTerminal) {
  const std::string printed =
      table(R"({"m\u001b[31m\u202e": {"b\u0007": {"accuracy": 0.5, "accuracy/\u009bx\u007f": 1}}})");
  EXPECT_NE(printed.find("m\\x1b[31m\\u202e"), std::string::npos) << printed;
  EXPECT_NE(printed.find("b\\x07"), std::string::npos) << printed;
  EXPECT_NE(printed.find("\\u009bx\\x7f"), std::string::npos) << printed;
}

TEST(ResultsTable, ReadmeShowsWhatIsPrinted) {
  const std::string printed = table(R"({
      "base": {"sums": {"accuracy": 0.48779296875, "accuracy_low": 0.4608314553742797, "accuracy_high": 0.5148257006850208, "length": 21.49755859375,
                        "step-by-step": 0.40966796875, "truncated": 0, "samples": 2048}},
      "zero": {"sums": {"accuracy": 0.9736328125, "accuracy_low": 0.9601472383720604, "accuracy_high": 0.9826375902584856, "length": 45.51513671875,
                        "step-by-step": 0.99951171875, "truncated": 0, "samples": 2048}}})");
  std::ifstream in(TENON_README);
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(readme.find("\n" + printed + "```"), std::string::npos) << "README.md does not have\n" << printed;
  for (size_t begin = 0, end; (end = printed.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80u);
}

TEST(ResultsTable, EachBenchmarkHasATable) {
  EXPECT_EQ(table(R"({"a": {"x": {"accuracy": 0.5}, "long name": {"accuracy": 1, "count": 12}},
                      "another": {"x": {"accuracy": null, "length": 123.45}}})"),
            "x        accuracy  length\n"
            "a           0.500       -\n"
            "another         -   123.5\n"
            "\n"
            "long name  accuracy  count\n"
            "a             1.000     12\n");
}

// Written to a file it is null; of the stage that has just ended it is still there.
TEST(ResultsTable, WhatIsNoNumberIsMissing) {
  boost::json::object results =
      boost::json::parse(R"({"a": {"x": {"accuracy": 0.5, "cost": 0}}})").as_object();
  results["a"].as_object()["x"].as_object()["cost"] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(results_table(results),
            "x  accuracy  cost\n"
            "a     0.500     -\n");
}

TEST(ResultsTable, OnlyBothEndsMakeAnInterval) {
  EXPECT_EQ(
      table(
          R"({"m": {"x": {"a": 0.25, "a_low": 0.125, "a_high": 0.5, "b": 0.5, "b_low": 0.25, "c_low": 0, "c_high": 1e-4}}})"),
      "x      a  95 % interval      b  b_low  c_low   c_high\n"
      "m  0.250  0.125 – 0.500  0.500  0.250  0.000  1.0e-04\n");
}

TEST(ResultsTable, PartsOfABenchmarkAreATableBelow) {
  EXPECT_EQ(
      table(
          R"({"a": {"x": {"accuracy": 0.5, "accuracy_low": 0.25, "accuracy_high": 0.75, "accuracy/algebra": 0.25, "accuracy_low/algebra": 0.1, "accuracy_high/algebra": 0.4,
                                  "reward/language": 1, "samples": 8}},
                      "other": {"x": {"accuracy": 1, "accuracy/algebra_low": 0.75}}})"),
      "x      accuracy  95 % interval  reward/language  samples\n"
      "a         0.500  0.250 – 0.750            1.000        8\n"
      "other     1.000          - – -                -        -\n"
      "\n"
      "x: accuracy      a  other\n"
      "algebra      0.250      -\n"
      "algebra_low      -  0.750\n");
}

std::vector<tenon::host::StageResults> all(const char* results) {
  std::vector<tenon::host::StageResults> out;
  const boost::json::value parsed = boost::json::parse(results);
  for (const auto& [stage, models] : parsed.as_object()) out.push_back({stage, models.as_object()});
  return out;
}

TEST(Overview, HasARowPerModelInTheOrderOfStagesAndTheChiefNumberOfEachBenchmark) {
  const auto results = all(R"({
      "table": {"zero": {"sums": {"length": 9, "accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 0.875}}, "base": {"sums": {"accuracy": 0.5}}},
      "general": {"teacher": {"names": {"loss": 0.25, "rows": 12}}, "zero": {"names": {"loss": 0.125}}}})");
  EXPECT_EQ(tenon::host::overview_columns(results), 2u);
  EXPECT_EQ(tenon::host::overview_table(results, {"base", "zero", "table", "general"}),
            "                          sums  names, loss\n"
            "teacher                      -        0.250\n"
            "base                     0.500            -\n"
            "zero     0.750 (0.500 – 0.875)        0.125\n");
}

TEST(Overview, TellsStagesWithTheSameBenchmarkApart) {
  EXPECT_EQ(
      tenon::host::overview_table(
          all(R"({"before": {"m": {"sums": {"accuracy": 0}}}, "after": {"m": {"sums": {"accuracy": 1}}}})"),
          {}),
      "   before: sums  after: sums\n"
      "m         0.000        1.000\n");
}

TEST(Overview, RoundsOfALoopShareAColumn) {
  EXPECT_EQ(tenon::host::overview_table(all(R"({"loop.1.look": {"loop.1.rl": {"sums": {"accuracy": 0.25}}},
                                                "loop.2.look": {"loop.2.rl": {"sums": {"accuracy": 0.5}}}})"),
                                        {"loop.1.rl", "loop.1.look", "loop.2.rl", "loop.2.look"}),
            "            sums\n"
            "loop.1.rl  0.250\n"
            "loop.2.rl  0.500\n");
}

// What one stage calls accuracy and another loss is not the same number.
TEST(Overview, EveryNumberIsShownAndOnlyEqualOnesShareAColumn) {
  EXPECT_EQ(
      tenon::host::overview_table(
          all(R"({"pre": {"base": {"held-out text": {"loss": 4}}}, "sft": {"sft": {"held-out text": {"loss": 3.5}}},
                        "taste": {"judge": {"held-out text": {"loss": 0.5, "accuracy": 0.75}}}, "more": {"m": {"held-out chat": {"loss": 2}}}})"),
          {"pre", "base", "sft", "judge", "m"}),
      "       pre: held-out text, loss  taste: held-out text  held-out chat, loss\n"
      "base                      4.000                     -                    -\n"
      "sft                       3.500                     -                    -\n"
      "judge                         -                 0.750                    -\n"
      "m                             -                     -                2.000\n");
}

TEST(ResultsTable, NothingGivesNothing) {
  EXPECT_EQ(table("{}"), "");
  EXPECT_EQ(tenon::host::overview_table({}, {"base"}), "");
}

}  // namespace
