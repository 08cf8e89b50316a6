// Tests of the table of results: one that README.md quotes, several benchmarks, numbers that are missing.
// SPDX-License-Identifier: Apache-2.0
#include "host/results_table.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <iterator>

namespace {

using tenon::host::results_table;

std::string table(const char* results) {
  return results_table(boost::json::parse(results).as_object());
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

TEST(ResultsTable, OnlyBothEndsMakeAnInterval) {
  EXPECT_EQ(
      table(
          R"({"m": {"x": {"a": 0.25, "a_low": 0.125, "a_high": 0.5, "b": 0.5, "b_low": 0.25, "c_low": 0, "c_high": 1e-4}}})"),
      "x      a  95 % interval      b  b_low  c_low   c_high\n"
      "m  0.250  0.125 – 0.500  0.500  0.250  0.000  1.0e-04\n");
}

TEST(ResultsTable, NothingGivesNothing) {
  EXPECT_EQ(table("{}"), "");
}

}  // namespace
