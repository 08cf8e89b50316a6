// Sums over columns in a fixed number of chains: compilers make vector code of a loop over lanes, and the bits of a sum are the same on every
// processor. For the .cpp files of this folder.
// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace tenon::algorithm_support
