// Element-wise work on long vectors, and the sum of squares.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/vector.h"

#include "support.h"

namespace tenon::kernels::TENON_ISA {
namespace {

constexpr uint64_t kBlock = 4096;

double block_sum_of_squares(const float* x, uint64_t n) {
  // The square of a float is exact in double, so that there is nothing for a fused multiply-add to save.
  double lane[kLanes] = {};
  uint64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (uint64_t l = 0; l < kLanes; ++l)
      lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  }
  for (uint64_t l = 0; i + l < n; ++l)
    lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (uint64_t width = kLanes / 2; width > 0; width /= 2) {
    for (uint64_t l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return lane[0];
}

}  // namespace

void zero(const tenon_executor* ex, uint64_t n, float* x) {
  parallel(ex, ceil_div(n, kBlock), 16, [&](uint64_t begin, uint64_t end) {
    memset(x + begin * kBlock, 0, (min_of(n, end * kBlock) - begin * kBlock) * sizeof(float));
  });
}

void scale(const tenon_executor* ex, uint64_t n, float a, float* x) {
  for_each16(ex, n, [&](uint64_t i, Mask16 mask) { store16(x + i, load16(x + i, mask) * set16(a), mask); });
}

void axpy(const tenon_executor* ex, uint64_t n, float a, const float* x, float* y) {
  for_each16(ex, n, [&](uint64_t i, Mask16 mask) {
    store16(y + i, fma16(set16(a), load16(x + i, mask), load16(y + i, mask)), mask);
  });
}

void add(const tenon_executor* ex, uint64_t n, const float* a, const float* b, float* y) {
  for_each16(ex, n, [&](uint64_t i, Mask16 mask) {
    store16(y + i, load16(a + i, mask) + load16(b + i, mask), mask);
  });
}

double sum_of_squares(const tenon_executor* ex, uint64_t n, const float* x) {
  const uint64_t blocks = ceil_div(n, kBlock);
  double* sums = reinterpret_cast<double*>(scratch(Scratch::kStatistics, 2 * blocks));
  parallel(ex, blocks, 8, [&](uint64_t begin, uint64_t end) {
    for (uint64_t b = begin; b < end; ++b)
      sums[b] = block_sum_of_squares(x + b * kBlock, min_of(kBlock, n - b * kBlock));
  });
  double sum = 0;
  for (uint64_t b = 0; b < blocks; ++b) sum += sums[b];
  return sum;
}

}  // namespace tenon::kernels::TENON_ISA
