// silu(gate)∘up, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/swiglu.h"

#include "exp.h"
#include "support.h"

namespace tenon::kernels::TENON_ISA {
namespace {

// Work on one element, in units of grain_for: the exponential dominates.
constexpr uint64_t kCost = 4;

// The gate's sigmoid times the gate, rounded once; both directions use this product.
inline F16 silu(F16 gate, F16 sigma) {
  return gate * sigma;
}

}  // namespace

void swiglu(const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up, uint64_t ldg,
            float* y, uint64_t ldy) {
  parallel(ex, tokens, grain_for(kCost * ff), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      const float* gate = gate_up + t * ldg;
      for (uint64_t i = 0; i < ff; i += kLanes) {
        const Mask16 mask = first_lanes(ff - i);
        const F16 g = load16(gate + i, mask);
        store16(y + t * ldy + i, silu(g, sigmoid16(g)) * load16(gate + ff + i, mask), mask);
      }
    }
  });
}

void swiglu_backward(const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up,
                     uint64_t ldg, const float* dy, uint64_t lddy, float* d_gate_up, uint64_t lddg, float* y,
                     uint64_t ldy) {
  const F16 one = set16(1.0f);
  parallel(ex, tokens, grain_for(kCost * ff), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      const float* gate = gate_up + t * ldg;
      float* d_gate = d_gate_up + t * lddg;
      for (uint64_t i = 0; i < ff; i += kLanes) {
        const Mask16 mask = first_lanes(ff - i);
        const F16 g = load16(gate + i, mask), u = load16(gate + ff + i, mask),
                  d = load16(dy + t * lddy + i, mask);
        const F16 sigma = sigmoid16(g), s = silu(g, sigma);
        const F16 slope = sigma * fma16(g, one - sigma, one);
        store16(d_gate + i, d * u * slope, mask);
        store16(d_gate + ff + i, d * s, mask);
        if (y != nullptr) store16(y + t * ldy + i, s * u, mask);
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
