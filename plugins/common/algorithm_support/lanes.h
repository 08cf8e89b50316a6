// Eight float64 at a time, whatever the processor's registers hold: sums are eight chains on every machine, so their bits are the same on all.
// For the .cpp files of this folder.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

// A function compiled for several processors, of which the best is picked when the plugin is opened.
#if defined(__x86_64__)
#define TENON_FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define TENON_FOR_EACH_PROCESSOR
#endif

namespace tenon::algorithm_support {

inline constexpr uint64_t kLanes = 8;
typedef double Lanes __attribute__((vector_size(64)));
typedef int64_t LaneBits __attribute__((vector_size(64)));  // of a comparison: −1 where it holds, else 0
typedef float FloatLanes __attribute__((vector_size(32)));

#define TENON_LANES inline __attribute__((always_inline))

TENON_LANES Lanes load(const double* p) {
  Lanes x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
TENON_LANES Lanes load(const float* p) {
  FloatLanes x;
  std::memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, Lanes);
}
TENON_LANES Lanes all(double x) {
  return Lanes{} + x;
}
// By bits, and not by the ternary operator, which some compilers take apart where registers are narrower.
TENON_LANES Lanes choose(const LaneBits& which, const Lanes& yes, const Lanes& no) {
  return (Lanes)((which & (LaneBits)yes) | (~which & (LaneBits)no));
}
TENON_LANES Lanes absolute(const Lanes& x) {
  return (Lanes)((LaneBits)x & INT64_MAX);
}
TENON_LANES double total(const Lanes& x) {
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}
TENON_LANES int64_t total(const LaneBits& x) {
  return x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[6] + x[7];
}

#undef TENON_LANES

}  // namespace tenon::algorithm_support
