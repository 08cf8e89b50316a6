// Data set `parquet`: rows from a file in Apache Parquet's format.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataset_support/split.h"
#include "record_row/record_row.h"
#include "records.h"
#include "tenon/dataset.hpp"

namespace {

namespace fields = tenon::record_row;
namespace support = tenon::dataset_support;
using tenon::Error;

constexpr size_t kShown = 5;  // bad rows that are named

class Parquet {
 public:
  explicit Parquet(tenon::Host host) : path_(host.str("file")), records_(path_), maker_(host), split_(host) {
    select(static_cast<uint64_t>(host.i64("max_skipped")), static_cast<uint64_t>(host.i64("offset")),
           static_cast<uint64_t>(host.i64_if("limit").value_or(INT64_MAX)), host);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    fields::RowMaker::check(host, findings);
    support::Split::check(host, findings);
  }

  uint64_t size() const { return rows_.size(); }
  tenon::Row at(uint64_t index) const {
    if (index >= rows_.size())
      throw Error("row " + std::to_string(index) + " of " + std::to_string(rows_.size()) + " was asked for");
    return make(rows_[index]);
  }

 private:
  tenon::Row make(uint64_t record) const {
    tenon::Row row = maker_.row(records_.text(record));
    row.source = path_ + ":" + std::to_string(record);
    return row;
  }

  // Makes every row once; leaves out bad ones as far as that is allowed; applies split, then offset, then limit.
  void select(uint64_t allowed, uint64_t offset, uint64_t limit, const tenon::Host& host) {
    uint64_t bad = 0, seen = 0;
    std::string shown;
    for (uint64_t record = 0; record < records_.size(); ++record) try {
        const tenon::Row row = make(record);
        if (split_.takes(row) && seen++ >= offset && rows_.size() < limit) rows_.push_back(record);
      } catch (const Error& e) {
        if (bad++ < kShown) shown += "\n  " + path_ + ":" + std::to_string(record) + ": " + e.what();
      }
    if (bad > kShown) shown += "\n  and " + std::to_string(bad - kShown) + " more";
    const std::string which =
        std::to_string(bad) + " of " + std::to_string(records_.size()) + " rows (counted from 0) ";
    if (bad > allowed)
      throw Error("file: " + which + "cannot be used, and max_skipped is " + std::to_string(allowed) + ":" +
                  shown);
    if (bad > 0) host.warn(which + "are left out (max_skipped: " + std::to_string(allowed) + "):" + shown);
    if (rows_.empty())
      throw Error("file: " + path_ + ": no row is left of " + std::to_string(records_.size()) + "; split: " +
                  split_.name() + " has " + std::to_string(seen) + ", offset: " + std::to_string(offset));
  }

  std::string path_;
  tenon::parquet_file::Records records_;
  fields::RowMaker maker_;
  support::Split split_;
  std::vector<uint64_t> rows_;
};

}  // namespace

TENON_DATASET_PLUGIN(
    Parquet, "parquet", "1.0.0", "Rows from a file in Apache Parquet's format.",
    tenon::path("file", "The file.", {.flags = TENON_O_REQUIRED}), fields::kPrompt, fields::kTemplate,
    fields::kMessages, fields::kCompletion, fields::kAnswer, fields::kAnswerRegex, fields::kRejected,
    fields::kRanked, fields::kLabel, fields::kMargin, support::kAs, support::kSystem, support::kSplitOption,
    support::kTestFractionOption,
    tenon::integer("offset", "0", "Rows of the split to leave out at its beginning.",
                   {.min = "0", .max = "1000000000000", .unit = "rows"}),
    tenon::integer("limit", nullptr, "Most rows to take after that; absent: all.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"}),
    tenon::integer("max_skipped", "0",
                   "Most rows that cannot be used and are left out, with a warning; more are an error.",
                   {.min = "0", .max = "1000000000000", .unit = "rows"}))
