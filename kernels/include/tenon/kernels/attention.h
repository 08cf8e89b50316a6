/* Causal grouped-query attention: over whole sequences, with its backward, and against a key-value cache.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One row function serves all of it. For a query at position p (keys 0 … p of its sequence) and head h, with
 * q, k_j, v_j of width d:
 *   s_j = scale · (q·k_j)             chain over d, then the product
 *   M = max_j s_j,  e_j = exp(s_j − M),  S = Σ_j e_j    summed in 16 lanes (lane = j mod 16)
 *   out = (Σ_j e_j v_j) / S           chain over j, times 1/S, negative zeros made positive
 *   lse = M + ln S
 * so its bits depend on p and the values alone: prefill, decode and training agree, whatever shares the call.
 * Caveat: a key row j > p that is not finite may reach an earlier query p that is computed in the same call.
 *
 * heads = kv_heads · group; query head h uses key-value head h / group. d is a multiple of 8, at most 256.
 * Query head h of token t starts at q + t·ldq + h·d; key and value heads likewise. So q, k, v may be parts of
 * one [tokens][q|k|v] buffer.
 */
#ifndef TENON_KERNELS_ATTENTION_H_
#define TENON_KERNELS_ATTENTION_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Whole sequences ----------------------------------------------------------------------------------- */

/* The sequences of one call, packed one after another without padding. */
typedef struct tenon_attention_batch {
  uint32_t struct_size; /* sizeof(tenon_attention_batch) */
  uint32_t heads, kv_heads, head_dim;
  float scale; /* usually 1/sqrt(head_dim) */
  uint32_t _pad;
  uint64_t sequences;
  const uint64_t* offsets; /* [sequences + 1]: sequence i is the tokens offsets[i] … offsets[i+1] − 1 */
  /* [sequences], or NULL: none. prefix[i] = p >= 0: the keys and values of sequence p (p < i, itself without
   * prefix) stand before those of sequence i, whose positions then start at p's length. This is a prompt
   * computed once for its group of completions. -1: none. The forward of such a completion has the bits it
   * has when it is computed together with a copy of its prompt as one sequence. */
  const int64_t* prefix;
} tenon_attention_batch;

/* out[tokens][heads·d] and lse[heads][tokens] (tokens = offsets[sequences]; the backward needs it; NULL: not
 * wanted). out may be q (same stride). Threads: (sequence with those that share it, key-value head, block of
 * queries). Scratch per thread: 4·d + max(48, 4·group) bytes per key of the longest sequence, its prefix
 * included. */
void tenon_attention(const tenon_executor* ex, const tenon_attention_batch* batch, const float* q,
                     uint64_t ldq, const float* k, uint64_t ldk, const float* v, uint64_t ldv, float* out,
                     uint64_t ldo, float* lse);

/* dq = dL/dq; dk, dv = dL/dk, dL/dv (overwritten, not accumulated), from dout = dL/dout.
 *   P_ij = exp(s_ij − lse_i),  D_i = Σ_d dout∘out (16 lanes),  dS_ij = P_ij (dout_i·v_j − D_i) · scale
 *   dq_i = Σ_j dS_ij k_j,  dk_j = Σ_i dS_ij q_i,  dv_j = Σ_i P_ij dout_i
 * Order: chains; dq over j; dk and dv over (query position, head within the group), for a prefix first its
 * own queries, then those of the sequences that share it in their order. dq may be dout (same stride);
 * nothing else may overlap. Threads: (sequence with those that share it, key-value head). Scratch per thread:
 * 8·d + max(96, 8·group) bytes per key of the longest sequence, its prefix included, and at most 1 MiB. */
void tenon_attention_backward(const tenon_executor* ex, const tenon_attention_batch* batch, const float* q,
                              uint64_t ldq, const float* k, uint64_t ldk, const float* v, uint64_t ldv,
                              const float* out, uint64_t ldo, const float* lse, const float* dout,
                              uint64_t lddo, float* dq, uint64_t lddq, float* dk, uint64_t lddk, float* dv,
                              uint64_t lddv);

/* ---- Key-value cache ----------------------------------------------------------------------------------- */

/* The keys and values of one layer for `slots` independent sequences. The caller owns the memory and fills in
 * the struct.
 *   k: [slots][kv_heads][capacity/16][head_dim][16], keys in blocks of 16 positions;   v:
 *   [slots][capacity][kv_heads][head_dim]
 * each slots·kv_heads·capacity·head_dim floats; 64-byte alignment is faster. Initialise k to any finite
 * values (zeros). */
typedef struct tenon_kv_cache {
  uint32_t struct_size; /* sizeof(tenon_kv_cache) */
  uint32_t slots, kv_heads, head_dim;
  uint64_t capacity; /* positions of a slot, a multiple of 16 */
  float *k, *v;
} tenon_kv_cache;

/* Floats of k, and of v: slots·kv_heads·capacity·head_dim. */
uint64_t tenon_kv_cache_size(const tenon_kv_cache* cache);

/* Copies rows into slots: row t of k and v ([rows][kv_heads·head_dim]) goes to position[t] (< capacity) of
 * slot[t]. No two rows may name the same place. Threads: rows. */
void tenon_kv_cache_append(const tenon_executor* ex, const tenon_kv_cache* cache, uint64_t rows,
                           const uint32_t* slot, const int32_t* position, const float* k, uint64_t ldk,
                           const float* v, uint64_t ldv);

/* Copies positions 0 … length − 1 of slot `from` to each of the n slots to[] (none of them `from`): the fork
 * of a shared prompt. Threads: slots. */
void tenon_kv_cache_fork(const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t from,
                         uint64_t length, const uint32_t* to, uint64_t n);

/* out[rows][heads·d]: attention of new queries against the cache, which must hold their own keys and values
 * already. Part i of the n parts is the rows offsets[i] … offsets[i+1] − 1, consecutive positions
 * first_position[i], … of slot[i]: one row in a step of decoding, a whole prompt in a prefill. out may be q
 * (same stride). Threads: (part, key-value heads, block of queries). Scratch per thread: max(48, 32·group)
 * bytes per key. */
void tenon_attention_cached(const tenon_executor* ex, const tenon_kv_cache* cache, uint32_t heads,
                            float scale, uint64_t n, const uint64_t* offsets, const uint32_t* slot,
                            const int32_t* first_position, const float* q, uint64_t ldq, float* out,
                            uint64_t ldo);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_ATTENTION_H_ */
