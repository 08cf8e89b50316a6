// From easy rows to all rows: what is open at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataset_support/draws.h"
#include "dataset_support/wrapped.h"

namespace tenon::curriculum {

// Competence-based curriculum (Platanios et al. 2019, arXiv 1903.09848, eq. 2 and 3): the t-th row is drawn evenly from the easiest c(t) of all rows,
// c(t) = min(1, (t (1 - c0^p) / T + c0^p)^(1/p)), with p = 1 (linear) or 2 (root).
class Schedule {
 public:
  // Reads every row once. Throws Error for a row without the field, or with one that is no number or none of the levels.
  Schedule(const Host& host, const dataset_support::Wrapped& data);

  // How many of the easiest rows are open for row `t` of the stage; 1 at least.
  uint64_t open(uint64_t t) const;
  // n rows for t, t + 1, …: no row twice as long as there are others that are open.
  void choose(const Host& host, uint64_t t, uint64_t n, uint64_t* index) const;

 private:
  double difficulty(const Row& row) const;

  std::string field_;  // empty: by length
  std::vector<std::string> levels_;
  double start_, full_after_;
  bool is_root_;
  std::vector<uint64_t> rows_;  // the easiest first
};

}  // namespace tenon::curriculum
