// A data set that another one is made of: how many rows there are to go through, and what was done to a row on the way.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/dataset.hpp"

namespace tenon::dataset_support {

// Whether these are rows that a stage of the run is yet to make, or depend on such: their count is TENON_COUNT_UNBOUNDED, and reading them TENON_E_STATE. A data
// set that is made of several is as long as any of them is, whatever its options say of its length.
bool is_yet_to_be_made(const Dataset& data);

inline constexpr tenon_option kWrappedRows =
    integer("rows", nullptr, "Its first so many rows and no others. Needed of a data set without end.",
            {.min = "1", .max = "1000000000000", .unit = "rows"});

// The data set in a slot, as far as an option (such as kWrappedRows; "": there is none) goes.
class Wrapped {
 public:
  // Throws Error for a data set without end where the option is absent.
  explicit Wrapped(const Host& host, const std::string& slot = "data", const std::string& rows = "rows");

  const std::string& name() const { return name_; }
  // Nothing: rows that a stage is yet to make. They are there in the stage that reads them, which makes its data sets anew.
  std::optional<uint64_t> rows() const { return rows_; }
  // use(index, row) for every row, in order; none where rows() is nothing.
  void each(const std::function<void(uint64_t, const Row&)>& use) const;
  // Throws what the data set throws (TENON_E_STATE where rows() is nothing).
  Row at(uint64_t index) const;

 private:
  Host host_;
  Dataset data_;
  std::string name_;
  std::optional<uint64_t> rows_;
};

// Those of its rows that pass.
class Selection {
 public:
  // by: what selects, for the rows' lineage.
  Selection(Wrapped data, std::string by) : data_(std::move(data)), by_(std::move(by)) {}

  const Wrapped& data() const { return data_; }
  void keep(uint64_t index) { kept_.push_back(index); }
  // TENON_COUNT_UNBOUNDED where data().rows() is nothing.
  uint64_t size() const { return data_.rows() ? kept_.size() : TENON_COUNT_UNBOUNDED; }
  // The row with its lineage. Throws for one beyond the end.
  Row at(uint64_t index) const;

 private:
  Wrapped data_;
  std::string by_;
  std::vector<uint64_t> kept_;
};

// Adds {"by": `by`, "row": index} and the JSON fields `more` ("\"key\":1", or none) to the list `lineage` of the row's meta: which wrapped rows it is made of,
// the latest last; the first has the row's `place`, if it has one. A field of that name that is no list becomes its first element.
void add_lineage(Row& row, std::string_view by, uint64_t index, std::string_view more = {});

// The row's question as text: its prompt, or the contents of its messages, a line each.
std::string question_of(const Row& row);

// A part of a row as text: "prompt" (question_of), "completion", or a field or path of its meta; nothing: the row has none.
std::optional<std::string> part_of(const Row& row, std::string_view part);

// `train.jsonl:17`, or `row 17 of <name>` where the row knows no place.
std::string place_of(const Row& row, uint64_t index, const std::string& name);

}  // namespace tenon::dataset_support
