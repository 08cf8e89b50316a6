// exp and expm1 in float64, written so that the compiler makes vector code of it.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/ratios.h"

#include <bit>
#include <cmath>

#include "algorithm_support/lanes.h"

namespace tenon::algorithm_support {
namespace {

// Beyond this the exponent would leave the range of normal numbers; std::exp answers there.
constexpr double kLargest = 700;

// x = k ln 2 + r with |r| <= ln 2 / 2. Products and sums stay apart here and below (-ffp-contract=off), so that all processors round alike.
struct Reduced {
  double r;
  uint64_t exponent;  // k, where a double has its exponent

  explicit Reduced(double x) {
    constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2High = 0x1.62e42fee00000p-1,
                     kLn2Low = 0x1.a39ef35793c76p-33;
    constexpr double kRound = 0x1.8p52;  // adding it leaves a whole number in the low bits
    const double shifted = x * kLog2E + kRound;
    const double k = shifted - kRound;
    r = (x - k * kLn2High) - k * kLn2Low;
    exponent = std::bit_cast<uint64_t>(shifted) << 52;
  }
  // 2^k y.
  double scaled(double y) const { return std::bit_cast<double>(std::bit_cast<uint64_t>(y) + exponent); }
};

// e^x = 2^k e^r, e^r by its Taylor series: the first term left out, r^13 / 13!, is below 2^-52.
inline double exp_inside(double x) {
  const Reduced reduced(x);
  const double r = reduced.r;
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
  return reduced.scaled(p);
}

// e^x − 1 = 2^k (r + s) + (2^k − 1) with s = e^r − 1 − r by its series, whose first term left out, r^14 / 14!, is below 2^-53 s. Where k is 0, r is x
// and nothing is lost: e^x − 1 = x + s, e^x − 1 − x = s.
inline void expm1_inside(double x, double& less_one, double& residue) {
  const Reduced reduced(x);
  const double r = reduced.r, power = reduced.scaled(1);
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
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
  const double s = power * (p * (r * r)), rest = power * r + (power - 1);
  less_one = rest + s;
  residue = (rest - x) + s;
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
uint64_t expm1_where_inside(const float* __restrict a, const float* __restrict b, uint64_t n,
                            double* __restrict less_one, double* __restrict residue) {
  uint64_t outside = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    outside += std::fabs(x) <= kLargest ? 0 : 1;
    expm1_inside(x, less_one[k], residue[k]);
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

void expm1_of_differences(const float* a, const float* b, uint64_t n, double* less_one, double* residue) {
  if (expm1_where_inside(a, b, n, less_one, residue) == 0) return;
  for (uint64_t k = 0; k < n; ++k) {
    const double x = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    if (!(std::fabs(x) <= kLargest)) less_one[k] = std::expm1(x), residue[k] = less_one[k] - x;
  }
}

double sum_of_differences(const float* a, const float* b, uint64_t n) {
  Lanes sums;
  add_in_lanes(a, b, n, &sums);
  return sums.sum();
}

}  // namespace tenon::algorithm_support
