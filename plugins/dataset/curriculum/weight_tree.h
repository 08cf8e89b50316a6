// Rows drawn by weight in logarithmic time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace tenon::curriculum {

// Whole-number weights of n rows in a Fenwick tree: what it answers depends on the weights alone and not on how they came about, so that a state that was
// saved and loaded goes on with the same rows. 12 bytes a row.
class WeightTree {
 public:
  explicit WeightTree(uint64_t n) : weights_(n), sums_(n + 1) {}

  uint32_t weight(uint64_t row) const { return weights_[row]; }
  uint64_t total() const { return total_; }
  void set(uint64_t row, uint32_t weight) {
    const uint64_t change = uint64_t{weight} - weights_[row];  // modulo 2^64
    weights_[row] = weight;
    total_ += change;
    for (uint64_t i = row + 1; i < sums_.size(); i += i & (~i + 1)) sums_[i] += change;
  }
  // The row that number `at` of all weights falls on: at < total().
  uint64_t find(uint64_t at) const {
    uint64_t row = 0;
    for (uint64_t step = std::bit_floor(sums_.size() - 1); step > 0; step /= 2)
      if (row + step < sums_.size() && sums_[row + step] <= at) at -= sums_[row += step];
    return row;
  }

 private:
  std::vector<uint32_t> weights_;
  std::vector<uint64_t> sums_;
  uint64_t total_ = 0;
};

}  // namespace tenon::curriculum
