// Statistics of whole columns of advantages.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

struct Sums {
  Lanes sum, squares, least, most;
};

TENON_FOR_EACH_PROCESSOR
uint64_t add_in_lanes(const double* a, uint64_t n, double origin, Sums* in_out) {
  Sums sums = *in_out;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    const Lanes x = load(a + k), from = x - origin;
    sums.sum += from, sums.squares += from * from;
    sums.least = choose(x < sums.least, x, sums.least), sums.most = choose(x > sums.most, x, sums.most);
  }
  *in_out = sums;
  return k;
}

}  // namespace

void AdvantageMetrics::add(const double* a, uint64_t n) {
  if (n == 0) return;
  if (n_ == 0) origin_ = a[0];
  Sums sums{{}, {}, all(least_), all(most_)};
  uint64_t k = add_in_lanes(a, n, origin_, &sums);
  n_ += static_cast<double>(k), sum_ += total(sums.sum), squares_ += total(sums.squares);
  for (uint64_t l = 0; l < kLanes; ++l)
    least_ = std::min(least_, sums.least[l]), most_ = std::max(most_, sums.most[l]);
  for (; k < n; ++k) add(a[k]);
}

}  // namespace tenon::algorithm_support
