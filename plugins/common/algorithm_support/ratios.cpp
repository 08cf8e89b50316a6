// exp in float64, written so that the compiler makes vector code of it.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/ratios.h"

#include <bit>
#include <cmath>

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

// Beyond this the exponent would leave the range of normal numbers; std::exp answers there.
constexpr double kLargest = 700;

// x = k ln 2 + r with |r| <= ln 2 / 2, e^x = 2^k e^r, e^r by its Taylor series: the first term left out, r^13 / 13!, is below 2^-52. Products
// and sums stay apart (-ffp-contract=off), so that all processors round alike.
inline double exp_inside(double x) {
  constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2High = 0x1.62e42fee00000p-1,
                   kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kRound = 0x1.8p52;  // adding it leaves a whole number in the low bits
  const double shifted = x * kLog2E + kRound;
  const double k = shifted - kRound;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double p = 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * (r * r) + r + 1;
  return std::bit_cast<double>(std::bit_cast<uint64_t>(p) + (std::bit_cast<uint64_t>(shifted) << 52));
}

TENON_FOR_EACH_PROCESSOR
uint64_t exp_where_inside(const float* a, const float* b, uint64_t n, double* out) {
  uint64_t outside = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    outside += std::fabs(x) <= kLargest ? 0 : 1;
    out[k] = exp_inside(x);
  }
  return outside;
}

TENON_FOR_EACH_PROCESSOR
void add_in_lanes(const float* a, const float* b, uint64_t n, Lanes* out) {
  Lanes sums;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (uint64_t l = 0; l < kLanes; ++l)
      sums.at[l] += static_cast<double>(a[k + l]) - static_cast<double>(b[k + l]);
  for (uint64_t l = 0; k + l < n; ++l)
    sums.at[l] += static_cast<double>(a[k + l]) - static_cast<double>(b[k + l]);
  *out = sums;
}

}  // namespace

void exp_of_differences(const float* a, const float* b, uint64_t n, double* out) {
  if (exp_where_inside(a, b, n, out) == 0) return;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    if (!(std::fabs(x) <= kLargest)) out[k] = std::exp(x);
  }
}

double sum_of_differences(const float* a, const float* b, uint64_t n) {
  Lanes sums;
  add_in_lanes(a, b, n, &sums);
  return sums.sum();
}

}  // namespace tenon::algorithm_support
