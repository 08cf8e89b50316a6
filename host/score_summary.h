// What `tenon score` says of all its rows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "host/score_rows.h"

namespace tenon::host {

class ScoreSummary {
 public:
  // verdict: empty if there is none.
  void add(const ScoreRow& row, const RewardAnswer& answer, const std::string& verdict, double micros);

  uint64_t rows() const { return micros_.size(); }
  // Rows that got a reward.
  uint64_t judged() const { return ok_; }
  // The three commonest outcomes of those that got none, a line each, with an example's line.
  std::string commonest_reasons() const;

  // The table; a row counts as right where its reward is above 0.5.
  void print(std::ostream& out) const;

 private:
  struct Reason {
    uint64_t times = 0, line = 0;
    std::string example;
  };

  std::vector<double> micros_;
  std::map<std::string, uint64_t> statuses_, verdicts_;
  std::map<std::string, Reason> reasons_;  // by shape
  double sum_ = 0;
  uint64_t ok_ = 0, true_positives_ = 0, true_negatives_ = 0, false_positives_ = 0, false_negatives_ = 0;
};

}  // namespace tenon::host
