// Token embedding: gather and scatter-add.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/embedding.h"

#include "support.h"

namespace tenon::kernels::TENON_ISA {

void embedding(const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id, const float* table,
               float* y, uint64_t ldy) {
  parallel(ex, tokens, grain_for(d), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      memcpy(y + t * ldy, table + static_cast<uint64_t>(id[t]) * d, d * sizeof(float));
    }
  });
}

void embedding_backward(const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id,
                        const float* dy, uint64_t lddy, float* dtable) {
  const uint64_t vectors = ceil_div(d, kLanes);
  // At least four vectors to a piece: a token's part should be whole lines of the cache.
  parallel(ex, vectors, max_of(4, grain_for(tokens * kLanes)), [&](uint64_t begin, uint64_t end) {
    const uint64_t last = min_of(d, end * kLanes);
    for (uint64_t t = 0; t < tokens; ++t) {
      float* row = dtable + static_cast<uint64_t>(id[t]) * d;
      for (uint64_t i = begin * kLanes; i < last; i += kLanes) {
        const Mask16 mask = first_lanes(last - i);
        store16(row + i, load16(row + i, mask) + load16(dy + t * lddy + i, mask), mask);
      }
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
