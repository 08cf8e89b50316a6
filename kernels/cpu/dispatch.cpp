// The C interface: each function goes to the copy that was compiled for the instruction set in use.
// SPDX-License-Identifier: Apache-2.0
#include "isa.h"
#include "tenon/kernels/adamw.h"
#include "tenon/kernels/attention.h"
#include "tenon/kernels/embedding.h"
#include "tenon/kernels/gemm.h"
#include "tenon/kernels/head.h"
#include "tenon/kernels/rmsnorm.h"
#include "tenon/kernels/rope.h"
#include "tenon/kernels/swiglu.h"
#include "tenon/kernels/vector.h"

#if defined(TENON_KERNELS_X86)
#define TENON_DISPATCH(type, name, parameters, arguments) \
  namespace tenon::kernels {                              \
  namespace avx512 {                                      \
  type name parameters;                                   \
  }                                                       \
  namespace avx2 {                                        \
  type name parameters;                                   \
  }                                                       \
  namespace scalar {                                      \
  type name parameters;                                   \
  }                                                       \
  }                                                       \
  extern "C" type tenon_##name parameters {               \
    using namespace tenon::kernels;                       \
    switch (isa()) {                                      \
      case Isa::kAvx512:                                  \
        return avx512::name arguments;                    \
      case Isa::kAvx2:                                    \
        return avx2::name arguments;                      \
      default:                                            \
        return scalar::name arguments;                    \
    }                                                     \
  }
#else
#define TENON_DISPATCH(type, name, parameters, arguments) \
  namespace tenon::kernels::scalar {                      \
  type name parameters;                                   \
  }                                                       \
  extern "C" type tenon_##name parameters {               \
    return tenon::kernels::scalar::name arguments;        \
  }
#endif

TENON_DISPATCH(void, linear_pack,
               (const tenon_executor* ex, uint64_t n, uint64_t k, uint64_t first_row, uint64_t rows,
                const float* w, uint64_t ldw, float* packed),
               (ex, n, k, first_row, rows, w, ldw, packed))
TENON_DISPATCH(void, linear,
               (const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* x, uint64_t ldx,
                const float* w_packed, const float* bias, const float* add, uint64_t ldadd, float* y,
                uint64_t ldy),
               (ex, m, n, k, x, ldx, w_packed, bias, add, ldadd, y, ldy))
TENON_DISPATCH(void, linear_dx,
               (const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
                const float* w, uint64_t ldw, int accumulate, float* dx, uint64_t lddx),
               (ex, m, n, k, dy, lddy, w, ldw, accumulate, dx, lddx))
TENON_DISPATCH(void, linear_dw,
               (const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
                const float* x, uint64_t ldx, float* dw, uint64_t lddw),
               (ex, m, n, k, dy, lddy, x, ldx, dw, lddw))
TENON_DISPATCH(void, linear_dbias,
               (const tenon_executor* ex, uint64_t m, uint64_t n, const float* dy, uint64_t lddy,
                float* dbias),
               (ex, m, n, dy, lddy, dbias))
TENON_DISPATCH(void, rmsnorm,
               (const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d, const float* x,
                uint64_t ldx, const float* weight, float eps, float* y, uint64_t ldy, float* rstd),
               (ex, tokens, groups, d, x, ldx, weight, eps, y, ldy, rstd))
TENON_DISPATCH(void, rmsnorm_backward,
               (const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d, const float* x,
                uint64_t ldx, const float* weight, const float* rstd, const float* dy, uint64_t lddy,
                int accumulate, float* dx, uint64_t lddx, float* dweight),
               (ex, tokens, groups, d, x, ldx, weight, rstd, dy, lddy, accumulate, dx, lddx, dweight))
TENON_DISPATCH(void, rope_table,
               (const tenon_executor* ex, uint64_t positions, uint64_t d, const float* inv_freq, float scale,
                float* table),
               (ex, positions, d, inv_freq, scale, table))
TENON_DISPATCH(void, rope,
               (const tenon_executor* ex, uint64_t tokens, uint64_t heads, uint64_t d,
                const int32_t* position, const float* table, int inverse, float* x, uint64_t ldx),
               (ex, tokens, heads, d, position, table, inverse, x, ldx))
TENON_DISPATCH(void, attention,
               (const tenon_executor* ex, const tenon_attention_batch* batch, const float* q, uint64_t ldq,
                const float* k, uint64_t ldk, const float* v, uint64_t ldv, float* out, uint64_t ldo,
                float* lse),
               (ex, batch, q, ldq, k, ldk, v, ldv, out, ldo, lse))
TENON_DISPATCH(void, attention_backward,
               (const tenon_executor* ex, const tenon_attention_batch* batch, const float* q, uint64_t ldq,
                const float* k, uint64_t ldk, const float* v, uint64_t ldv, const float* out, uint64_t ldo,
                const float* lse, const float* dout, uint64_t lddo, float* dq, uint64_t lddq, float* dk,
                uint64_t lddk, float* dv, uint64_t lddv),
               (ex, batch, q, ldq, k, ldk, v, ldv, out, ldo, lse, dout, lddo, dq, lddq, dk, lddk, dv, lddv))
TENON_DISPATCH(void, kv_cache_append,
               (const tenon_executor* ex, const tenon_kv_cache* cache, uint64_t rows, const uint32_t* slot,
                const int32_t* position, const float* k, uint64_t ldk, const float* v, uint64_t ldv),
               (ex, cache, rows, slot, position, k, ldk, v, ldv))
TENON_DISPATCH(void, kv_cache_fork,
               (const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t from, uint64_t length,
                const uint32_t* to, uint64_t n),
               (ex, cache, from, length, to, n))
TENON_DISPATCH(void, attention_cached,
               (const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t heads, float scale,
                uint64_t n, const uint64_t* offsets, const uint32_t* slot, const int32_t* first_position,
                const float* q, uint64_t ldq, float* out, uint64_t ldo),
               (ex, cache, heads, scale, n, offsets, slot, first_position, q, ldq, out, ldo))
TENON_DISPATCH(void, swiglu,
               (const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up, uint64_t ldg,
                float* y, uint64_t ldy),
               (ex, tokens, ff, gate_up, ldg, y, ldy))
TENON_DISPATCH(void, swiglu_backward,
               (const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up, uint64_t ldg,
                const float* dy, uint64_t lddy, float* d_gate_up, uint64_t lddg, float* y, uint64_t ldy),
               (ex, tokens, ff, gate_up, ldg, dy, lddy, d_gate_up, lddg, y, ldy))
TENON_DISPATCH(void, zero, (const tenon_executor* ex, uint64_t n, float* x), (ex, n, x))
TENON_DISPATCH(void, scale, (const tenon_executor* ex, uint64_t n, float a, float* x), (ex, n, a, x))
TENON_DISPATCH(void, axpy, (const tenon_executor* ex, uint64_t n, float a, const float* x, float* y),
               (ex, n, a, x, y))
TENON_DISPATCH(void, add, (const tenon_executor* ex, uint64_t n, const float* a, const float* b, float* y),
               (ex, n, a, b, y))
TENON_DISPATCH(double, sum_of_squares, (const tenon_executor* ex, uint64_t n, const float* x), (ex, n, x))
TENON_DISPATCH(void, embedding,
               (const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id, const float* table,
                float* y, uint64_t ldy),
               (ex, tokens, d, id, table, y, ldy))
TENON_DISPATCH(void, embedding_backward,
               (const tenon_executor* ex, uint64_t tokens, uint64_t d, const int32_t* id, const float* dy,
                uint64_t lddy, float* dtable),
               (ex, tokens, d, id, dy, lddy, dtable))
TENON_DISPATCH(void, head_forward,
               (const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, const int32_t* target, float* logp, float* entropy, float* lse),
               (ex, head, n, rows, h, ldh, target, logp, entropy, lse))
TENON_DISPATCH(void, head_backward,
               (const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, const int32_t* target, const float* lse, const float* entropy,
                const float* g, const float* e, float* dh, uint64_t lddh, float* dw),
               (ex, head, n, rows, h, ldh, target, lse, entropy, g, e, dh, lddh, dw))
TENON_DISPATCH(void, head_visit,
               (const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, const int32_t* target, const float* g, const float* e,
                float* logp, float* entropy, float* dh, uint64_t lddh, float* dw),
               (ex, head, n, rows, h, ldh, target, g, e, logp, entropy, dh, lddh, dw))
TENON_DISPATCH(void, head_sample,
               (const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, const float* u, const tenon_head_filter* filter, int32_t* token,
                float* logp),
               (ex, head, n, rows, h, ldh, u, filter, token, logp))
TENON_DISPATCH(void, head_logits,
               (const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                const float* h, uint64_t ldh, float* logits, uint64_t ldl),
               (ex, head, n, rows, h, ldh, logits, ldl))
TENON_DISPATCH(void, adamw,
               (const tenon_executor* ex, const tenon_adamw_args* args, uint64_t n, float* param, float* grad,
                float* m, float* v),
               (ex, args, n, param, grad, m, v))
TENON_DISPATCH(void, sgd,
               (const tenon_executor* ex, const tenon_sgd_args* args, uint64_t n, float* param, float* grad,
                float* momentum_buffer),
               (ex, args, n, param, grad, momentum_buffer))

extern "C" uint64_t tenon_linear_packed_size(uint64_t n, uint64_t k) {
  return (n + TENON_LINEAR_PANEL - 1) / TENON_LINEAR_PANEL * TENON_LINEAR_PANEL * k;
}

extern "C" uint64_t tenon_kv_cache_size(const tenon_kv_cache* cache) {
  return cache->capacity * cache->slots * cache->kv_heads * cache->head_dim;
}
