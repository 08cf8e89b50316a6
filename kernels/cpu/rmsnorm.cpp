// RMSNorm, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/rmsnorm.h"

#include "support.h"

namespace tenon::kernels::TENON_ISA {
namespace {

constexpr uint64_t kColumnsPerTask = 2 * kLanes;

float reciprocal_rms(const float* x, uint64_t d, float eps) {
  F16 sum = zero16();
  for (uint64_t i = 0; i < d; i += kLanes) {
    const F16 v = load16(x + i, first_lanes(d - i));
    sum = fma16(v, v, sum);
  }
  return 1.0f / __builtin_sqrtf(sum_of_lanes(sum) / static_cast<float>(d) + eps);
}

struct Backward {
  uint64_t d;
  const float* weight;
  bool accumulate;

  void vector(const float* x, float rstd, const float* dy, float* dx) const {
    const F16 scale = set16(rstd);
    F16 sum = zero16();
    for (uint64_t i = 0; i < d; i += kLanes) {
      const Mask16 mask = first_lanes(d - i);
      sum = fma16(load16(dy + i, mask) * load16(weight + i, mask), load16(x + i, mask) * scale, sum);
    }
    const F16 mean = set16(-(sum_of_lanes(sum) / static_cast<float>(d)));
    for (uint64_t i = 0; i < d; i += kLanes) {
      const Mask16 mask = first_lanes(d - i);
      F16 v =
          fma16(load16(x + i, mask) * scale, mean, load16(dy + i, mask) * load16(weight + i, mask)) * scale;
      if (accumulate) v = load16(dx + i, mask) + v;
      store16(dx + i, v, mask);
    }
  }
};

}  // namespace

void rmsnorm(const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d, const float* x,
             uint64_t ldx, const float* weight, float eps, float* y, uint64_t ldy, float* rstd) {
  parallel(ex, tokens, grain_for(groups * d), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      for (uint64_t g = 0; g < groups; ++g) {
        const float* in = x + t * ldx + g * d;
        float* out = y + t * ldy + g * d;
        const float r = reciprocal_rms(in, d, eps);
        if (rstd != nullptr) rstd[t * groups + g] = r;
        const F16 scale = set16(r);
        for (uint64_t i = 0; i < d; i += kLanes) {
          const Mask16 mask = first_lanes(d - i);
          store16(out + i, load16(weight + i, mask) * (load16(in + i, mask) * scale), mask);
        }
      }
    }
  });
}

void rmsnorm_backward(const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d, const float* x,
                      uint64_t ldx, const float* weight, const float* rstd, const float* dy, uint64_t lddy,
                      int accumulate, float* dx, uint64_t lddx, float* dweight) {
  // First dweight: dx may overwrite dy.
  const uint64_t blocks = dweight == nullptr ? 0 : ceil_div(d, kColumnsPerTask);
  parallel(ex, blocks, grain_for(4 * tokens * groups * kColumnsPerTask), [&](uint64_t begin, uint64_t end) {
    for (uint64_t block = begin; block < end; ++block) {
      const uint64_t i = block * kColumnsPerTask;
      const Mask16 low = first_lanes(d - i), high = first_lanes(d - i > kLanes ? d - i - kLanes : 0);
      const uint64_t second = d - i > kLanes ? i + kLanes : i;
      F16 sum_low = load16(dweight + i, low), sum_high = load16(dweight + second, high);
      for (uint64_t t = 0; t < tokens; ++t) {
        for (uint64_t g = 0; g < groups; ++g) {
          const float* in = x + t * ldx + g * d;
          const float* grad = dy + t * lddy + g * d;
          const F16 scale = set16(rstd[t * groups + g]);
          sum_low = fma16(load16(grad + i, low), load16(in + i, low) * scale, sum_low);
          sum_high = fma16(load16(grad + second, high), load16(in + second, high) * scale, sum_high);
        }
      }
      store16(dweight + i, sum_low, low);
      store16(dweight + second, sum_high, high);
    }
  });
  if (dx == nullptr) return;
  const Backward backward{d, weight, accumulate != 0};
  parallel(ex, tokens, grain_for(2 * groups * d), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      for (uint64_t g = 0; g < groups; ++g) {
        backward.vector(x + t * ldx + g * d, rstd[t * groups + g], dy + t * lddy + g * d,
                        dx + t * lddx + g * d);
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
