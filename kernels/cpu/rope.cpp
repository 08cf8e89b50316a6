// Rotary position embedding.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/rope.h"

#include <math.h>

#include "support.h"

namespace tenon::kernels::TENON_ISA {
namespace {

// (a, b) = (a∘c − b∘s, b∘c + a∘s)
void rotate(float* a, float* b, const float* c, const float* s, F16 sign, uint64_t half) {
  for (uint64_t i = 0; i < half; i += kLanes) {
    const Mask16 mask = first_lanes(half - i);
    const F16 va = load16(a + i, mask), vb = load16(b + i, mask);
    const F16 vc = load16(c + i, mask), vs = load16(s + i, mask) * sign;
    store16(a + i, fma16(zero16() - vb, vs, va * vc), mask);
    store16(b + i, fma16(va, vs, vb * vc), mask);
  }
}

}  // namespace

void rope_table(const tenon_executor* ex, uint64_t positions, uint64_t d, const float* inv_freq, float scale,
                float* table) {
  const uint64_t half = d / 2;
  parallel(ex, positions, grain_for(64 * d), [&](uint64_t begin, uint64_t end) {
    for (uint64_t p = begin; p < end; ++p) {
      for (uint64_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(p) * inv_freq[i];
        table[p * d + i] = static_cast<float>(cos(static_cast<double>(angle)) * scale);
        table[p * d + half + i] = static_cast<float>(sin(static_cast<double>(angle)) * scale);
      }
    }
  });
}

void rope(const tenon_executor* ex, uint64_t tokens, uint64_t heads, uint64_t d, const int32_t* position,
          const float* table, int inverse, float* x, uint64_t ldx) {
  const uint64_t half = d / 2;
  const F16 sign = set16(inverse != 0 ? -1.0f : 1.0f);
  parallel(ex, tokens, grain_for(heads * d), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      const float* row = table + static_cast<uint64_t>(position[t]) * d;
      for (uint64_t h = 0; h < heads; ++h) {
        float* a = x + t * ldx + h * d;
        rotate(a, a + half, row, row + half, sign, half);
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
