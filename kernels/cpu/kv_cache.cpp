// The key-value cache: rows in, and the fork of a shared prompt.
// SPDX-License-Identifier: Apache-2.0
#include "attention_rows.h"

namespace tenon::kernels::TENON_ISA {

void kv_cache_append(const tenon_executor* ex, const tenon_kv_cache* cache, uint64_t rows,
                     const uint32_t* slot, const int32_t* position, const float* k, uint64_t ldk,
                     const float* v, uint64_t ldv) {
  const uint64_t d = cache->head_dim, kv_heads = cache->kv_heads, width = kv_heads * d;
  parallel(ex, rows, grain_for(8 * width), [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t) {
      const uint64_t p = static_cast<uint64_t>(position[t]);
      for (uint64_t h = 0; h < kv_heads; ++h) {
        pack_keys(k + t * ldk + h * d, ldk, 1, d, p,
                  cache->k + (slot[t] * kv_heads + h) * cache->capacity * d);
      }
      memcpy(cache->v + (slot[t] * cache->capacity + p) * width, v + t * ldv, width * sizeof(float));
    }
  });
}

void kv_cache_fork(const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t from, uint64_t length,
                   const uint32_t* to, uint64_t n) {
  const uint64_t d = cache->head_dim, kv_heads = cache->kv_heads, slot_size = kv_heads * cache->capacity * d;
  const uint64_t keys =
      round_up(length, kLanes) * d;  // whole blocks: what lies beyond `length` in the last is never looked at
  parallel(ex, n, grain_for(length * kv_heads * d / 4), [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) {
      for (uint64_t h = 0; h < kv_heads; ++h) {
        const uint64_t head = h * cache->capacity * d;
        memcpy(cache->k + to[i] * slot_size + head, cache->k + from * slot_size + head, keys * sizeof(float));
      }
      memcpy(cache->v + to[i] * slot_size, cache->v + from * slot_size,
             length * kv_heads * d * sizeof(float));
    }
  });
}

}  // namespace tenon::kernels::TENON_ISA
