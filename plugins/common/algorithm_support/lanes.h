// Sums over columns in a fixed number of chains: compilers make vector code of a loop over lanes, and the bits of a sum are the same on every
// processor. For the .cpp files of this folder.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

// A function compiled for several processors, of which the best is picked when the plugin is opened.
#if defined(__x86_64__)
#define TENON_FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define TENON_FOR_EACH_PROCESSOR
#endif

namespace tenon::algorithm_support {

inline constexpr uint64_t kLanes = 16;

struct Lanes {
  double at[kLanes] = {};

  double sum() const {
    double half[kLanes];
    for (uint64_t l = 0; l < kLanes; ++l) half[l] = at[l];
    for (uint64_t n = kLanes / 2; n > 0; n /= 2)
      for (uint64_t l = 0; l < n; ++l) half[l] += half[l + n];
    return half[0];
  }
};

// x[n] into the lanes, x[k] into lane k mod kLanes. One column at a time: of several sums in one loop, or of sums with arithmetic among them,
// compilers make no vector code.
inline __attribute__((always_inline)) void add_to_lanes(const double* x, uint64_t n, Lanes& to) {
  Lanes sums = to;
  uint64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (uint64_t l = 0; l < kLanes; ++l) sums.at[l] += x[k + l];
  for (uint64_t l = 0; k + l < n; ++l) sums.at[l] += x[k + l];
  to = sums;
}

// Whether no number is infinite or NaN: the bits of |x| as integers are in the order of the numbers, and the largest of integers can be found in any
// order, so in vector code.
inline __attribute__((always_inline)) bool all_are_finite(const float* x, uint64_t n) {
  int32_t largest = 0;
  for (uint64_t k = 0; k < n; ++k) {
    const int32_t size = std::bit_cast<int32_t>(x[k]) & 0x7fffffff;
    largest = size > largest ? size : largest;
  }
  return largest < 0x7f800000;
}

}  // namespace tenon::algorithm_support
