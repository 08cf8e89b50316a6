// Rows chosen by how often the policy solves them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "dataset_support/draws.h"
#include "tenon/host.hpp"
#include "tenon/state.hpp"
#include "weight_tree.h"

namespace tenon::curriculum {

// The policy's pass rate of each row, and rows drawn by it, in one of the ways that the option `choose` names.
class PassRates {
 public:
  PassRates(const Host& host, uint64_t rows);
  // Rules between the options.
  static void check(const Host& host, Findings& findings);

  // The rows t, t + 1, … of the stage; none twice as long as there are others.
  void choose(const Host& host, uint64_t t, uint64_t n, uint64_t* index);
  // The mean of a row's latest completions, of 0 to 1; numbers beyond count as these.
  void tell(uint64_t row, double mean_reward);
  // What the run records of it.
  void report(const Host& host) const;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Pool {
    std::string name;
    double up_to, weight;
    WeightTree rows;
  };
  struct Rate {
    uint32_t seen = 0;  // rollouts
    double mean = 0;
  };

  size_t pool_of(uint64_t row) const;
  uint32_t weight_of(uint64_t row) const;
  // The pool that a draw falls on, of those that still have rows.
  size_t draw_pool(double unit) const;
  void place(uint64_t row);

  bool by_pool_, is_uncertain_;
  double floor_, least_change_;
  std::vector<Rate> rates_;
  std::vector<Pool>
      pools_;  // the last one is of rows not seen yet; one alone where the rows are drawn by weight
};

}  // namespace tenon::curriculum
