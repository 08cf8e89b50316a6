// What the kernels' sources share beside arithmetic: pieces of work for the executor.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_SUPPORT_H_
#define TENON_KERNELS_CPU_SUPPORT_H_

#include "scratch.h"
#include "simd.h"
#include "tenon/kernels/executor.h"

namespace tenon::kernels::TENON_ISA {

inline uint64_t thread_count(const tenon_executor* ex) {
  return ex == nullptr || ex->threads < 1 ? 1 : ex->threads;
}

// body(begin, end) over [0, n) in pieces of at least `grain`; on this thread where one piece is all there is.
template <typename Body>
inline void parallel(const tenon_executor* ex, uint64_t n, uint64_t grain, const Body& body) {
  if (n == 0) return;
  if (thread_count(ex) == 1 || n <= grain) {
    body(uint64_t{0}, n);
    return;
  }
  ex->parallel_for(
      ex->ctx, n, grain,
      [](void* arg, uint64_t begin, uint64_t end) { (*static_cast<const Body*>(arg))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Items to a piece, so that a piece is worth the hand-over to another thread: `cost` is that of one item in
// floating-point operations on a lane.
inline uint64_t grain_for(uint64_t cost) {
  return max_of(1, (uint64_t{1} << 17) / max_of(1, cost));
}

// body(first element, mask) for each sixteen elements of [0, n).
template <typename Body>
inline void for_each16(const tenon_executor* ex, uint64_t n, const Body& body) {
  constexpr uint64_t kBlock = 4096;
  parallel(ex, ceil_div(n, kBlock), 4, [&](uint64_t begin, uint64_t end) {
    const uint64_t last = min_of(n, end * kBlock);
    for (uint64_t i = begin * kBlock; i < last; i += kLanes) body(i, first_lanes(last - i));
  });
}

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_SUPPORT_H_
