// Rows for training and rows to test with, out of one source: the options, and which row is which.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dataset_support/draws.h"
#include "tenon/dataset.hpp"

namespace tenon::dataset_support {

inline constexpr const char* kSplits[] = {"all", "train", "test", nullptr};
inline constexpr tenon_option kSplitOption =
    choice("split", kSplits, "\"all\"",
           "Which rows; train and test are told apart by a hash of the question, or of the document.");
inline constexpr tenon_option kTestFractionOption =
    number("test_fraction", nullptr, "Of split: train and test. The share of rows that is `test`.",
           {.min = "0.000001", .max = "0.999999"});

class Split {
 public:
  explicit Split(const Host& host)
      : name_(host.str("split")), test_fraction_(host.f64_if("test_fraction").value_or(0)) {}

  // Rules between the two options.
  static void check(const Host& host, Findings& findings) {
    if (host.str("split") == "all") findings.no_effect("test_fraction", "split: all takes every row");
    if (host.str("split") != "all" && !host.f64_if("test_fraction"))
      findings.error("split", "needs test_fraction, the share of rows that is `test`");
  }

  const std::string& name() const { return name_; }
  bool is_all() const { return name_ == "all"; }
  // Whether what is told by `text` is of this split; the same text always is on the same side.
  bool takes(std::string_view text) const {
    return is_all() || held_out(text, test_fraction_) == (name_ == "test");
  }
  // A row is told by its question.
  bool takes(const Row& row) const { return takes(row.prompt.empty() ? row.messages_json : row.prompt); }

 private:
  std::string name_;
  double test_fraction_;
};

}  // namespace tenon::dataset_support
