// Statistics of whole columns of advantages.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

struct Sums {
  Lanes sum, squares, least, most;
};

inline __attribute__((always_inline)) void add_lanes(const double* a, uint64_t n, double origin, Sums& sums) {
  for (uint64_t l = 0; l < n; ++l) {
    const double x = a[l], from = x - origin;
    sums.sum.at[l] += from, sums.squares.at[l] += from * from;
    sums.least.at[l] = x < sums.least.at[l] ? x : sums.least.at[l];
    sums.most.at[l] = x > sums.most.at[l] ? x : sums.most.at[l];
  }
}

TENON_FOR_EACH_PROCESSOR
void add_column(const double* a, uint64_t n, double origin, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) add_lanes(a + k, kLanes, origin, sums);
  add_lanes(a + k, n - k, origin, sums);
  *in_out = sums;
}

}  // namespace

void AdvantageMetrics::add(const double* a, uint64_t n) {
  if (n == 0) return;
  if (n_ == 0) origin_ = a[0];
  Sums sums;
  for (uint64_t l = 0; l < kLanes; ++l) sums.least.at[l] = least_, sums.most.at[l] = most_;
  add_column(a, n, origin_, &sums);
  n_ += static_cast<double>(n), sum_ += sums.sum.sum(), squares_ += sums.squares.sum();
  for (double x : sums.least.at) least_ = std::min(least_, x);
  for (double x : sums.most.at) most_ = std::max(most_, x);
}

}  // namespace tenon::algorithm_support
