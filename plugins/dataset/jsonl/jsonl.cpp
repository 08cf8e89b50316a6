// Data set `jsonl`: rows from a file with one JSON object a line.
// SPDX-License-Identifier: Apache-2.0
//
// The whole file is checked when the data set is made: every line becomes a row once, and one that cannot is an
// error that names file, line and field (or is left out, where an option allows it), before any training.
// Afterwards rows are read from the file by offset, so that it may be larger than memory.

#include <algorithm>
#include <mutex>

#include "dataset_support/split.h"
#include "file/format_error.h"
#include "json/json_document.h"
#include "line_index.h"
#include "record_row/record_row.h"
#include "tenon/dataset.hpp"

namespace {

namespace fields = tenon::record_row;
namespace support = tenon::dataset_support;
using tenon::Error;

constexpr size_t kShown = 5;  // bad lines that are named
constexpr uint64_t kLinesOfAPiece = 256;

// f(), whose errors then begin with the option that names the file.
template <class F>
auto about_file(F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.code(), std::string("file: ") + e.what());
  } catch (const tenon::io::FormatError& e) {
    throw Error(TENON_E_IO, std::string("file: ") + e.what());
  }
}

class Jsonl {
 public:
  explicit Jsonl(tenon::Host host)
      : index_(about_file([&] { return tenon::jsonl::LineIndex(host.str("file")); })),
        maker_(host),
        split_(host) {
    about_file([&] {
      if (index_.size() == 0) throw Error(host.str("file") + ": the file has no rows");
      if (index_.size() > UINT32_MAX)
        throw Error(host.str("file") + ": more than 2^32 lines; cut the file into several");
      select(host, read_all(host));
    });
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::record_row::RowMaker::check(host, findings);
    support::Split::check(host, findings);
  }

  uint64_t size() const { return all_ ? index_.size() : rows_.size(); }

  tenon::Row at(uint64_t index) const {
    if (index >= size())
      throw Error("row " + std::to_string(index) + " of " + std::to_string(size()) + " was asked for");
    const uint64_t line = all_ ? index : rows_[index];
    return about_file([&] { return make(line, index_.text(line)); });
  }

 private:
  // What becomes of a line.
  enum Part : uint8_t { kBad, kOther, kWanted };
  struct Parts {
    std::vector<uint8_t> of_line;
    std::vector<std::pair<uint64_t, std::string>> bad;  // line, message
    uint64_t wanted = 0;
  };

  tenon::Row make(uint64_t line, std::string_view text) const try {
    tenon::Row row = maker_.row(text);
    row.source = index_.place(line);
    return row;
  } catch (const Error& e) {
    throw Error(e.code(), index_.place(line) + ": " + e.what());
  }

  Part part_of(uint64_t line, std::string_view text) const {
    try {
      if (!tenon::json::parse(text, index_.place(line)).is_object())
        throw Error(index_.place(line) + ": expected one JSON object on the line, found " +
                    support::kind_of(text.substr(text.find_first_not_of(" \t"))));
    } catch (const tenon::io::FormatError& e) {
      throw Error(e.what());
    }
    return split_.takes(make(line, text)) ? kWanted : kOther;
  }

  // Every line made a row once.
  Parts read_all(const tenon::Host& host) const {
    Parts parts;
    parts.of_line.resize(index_.size());
    std::mutex mutex;
    host.parallel_for(index_.size(), kLinesOfAPiece, [&](uint64_t begin, uint64_t end) {
      uint64_t wanted = 0;
      index_.each(begin, end, [&](uint64_t line, std::string_view text) {
        try {
          parts.of_line[line] = part_of(line, text);
          wanted += parts.of_line[line] == kWanted;
        } catch (const Error& e) {
          std::lock_guard lock(mutex);
          parts.bad.emplace_back(line, e.what());
        }
      });
      std::lock_guard lock(mutex);
      parts.wanted += wanted;
    });
    std::sort(parts.bad.begin(), parts.bad.end());
    return parts;
  }

  // Leaves out bad lines as far as that is allowed; applies split, then offset, then limit.
  void select(const tenon::Host& host, const Parts& parts) {
    const auto allowed = static_cast<uint64_t>(host.i64("max_skipped"));
    const auto offset = static_cast<uint64_t>(host.i64("offset"));
    const auto limit = static_cast<uint64_t>(host.i64_if("limit").value_or(INT64_MAX));
    if (parts.bad.size() > allowed) refuse(parts, allowed);
    if (!parts.bad.empty())
      host.warn(std::to_string(parts.bad.size()) + " of " + std::to_string(index_.size()) +
                " lines are left out (max_skipped: " + std::to_string(allowed) + "):" + list(parts));
    all_ = parts.wanted == index_.size() && offset == 0 && limit >= parts.wanted;
    uint64_t seen = 0;
    for (uint64_t line = 0; !all_ && line < parts.of_line.size(); ++line)
      if (parts.of_line[line] == kWanted && seen++ >= offset && rows_.size() < limit)
        rows_.push_back(static_cast<uint32_t>(line));
    rows_.shrink_to_fit();
    if (size() == 0)
      throw Error(host.str("file") + ": no row is left of " + std::to_string(index_.size()) +
                  "; split: " + split_.name() + " has " + std::to_string(parts.wanted) +
                  ", offset: " + std::to_string(offset));
  }

  [[noreturn]] void refuse(const Parts& parts, uint64_t allowed) const {
    if (parts.bad.size() == 1) throw Error(parts.bad[0].second);
    throw Error(std::to_string(parts.bad.size()) + " of " + std::to_string(index_.size()) +
                " lines cannot be used, and max_skipped is " + std::to_string(allowed) + ":" + list(parts));
  }
  static std::string list(const Parts& parts) {
    std::string out;
    for (size_t i = 0; i < std::min(kShown, parts.bad.size()); ++i) out += "\n  " + parts.bad[i].second;
    if (parts.bad.size() > kShown) out += "\n  and " + std::to_string(parts.bad.size() - kShown) + " more";
    return out;
  }

  tenon::jsonl::LineIndex index_;
  tenon::record_row::RowMaker maker_;
  support::Split split_;
  bool all_ = false;            // every line is a row
  std::vector<uint32_t> rows_;  // else: the lines that are
};

}  // namespace

TENON_DATASET_PLUGIN(
    Jsonl, "jsonl", "1.1.0", "Rows from a file with one JSON object a line.",
    tenon::path("file", "The file: UTF-8, one JSON object a line.", {.flags = TENON_O_REQUIRED}),
    fields::kPrompt, fields::kTemplate, fields::kMessages, fields::kCompletion, fields::kAnswer,
    fields::kAnswerRegex, fields::kRejected, fields::kRanked, fields::kLabel, fields::kMargin, support::kAs,
    support::kSystem, support::kSplitOption, support::kTestFractionOption,
    tenon::integer("offset", "0", "Rows of the split to leave out at its beginning.",
                   {.min = "0", .max = "1000000000000", .unit = "rows"}),
    tenon::integer("limit", nullptr, "Most rows to take after that; absent: all.",
                   {.min = "1", .max = "1000000000000", .unit = "rows"}),
    tenon::integer("max_skipped", "0",
                   "Most lines that cannot be used and are left out, with a warning; more are an error.",
                   {.min = "0", .max = "1000000000000", .unit = "lines"}))
