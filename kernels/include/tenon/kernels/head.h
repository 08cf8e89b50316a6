/* The language head: log-probabilities, gradients and sampling, never holding the logits of all tokens.
 * SPDX-License-Identifier: Apache-2.0
 *
 * For row r (a token's hidden state h_r after the final norm), vocabulary entry j and temperature τ:
 *   u_rj = h_r·W_j (chain over d),  z_rj = u_rj · (1/τ)
 *   lse_r = ln Σ_j e^{z_rj},  logp_r = z_{r,target} − lse_r
 *   p_rj = e^{z_rj − lse_r},  H_r = lse_r − Σ_j p_rj z_rj
 * Given g_r = dL/dlogp_r and e_r = dL/dH_r:
 *   dz_rj = g_r (δ_{j = target} − p_rj) − e_r p_rj (z_rj − lse_r + H_r)
 *   du = dz/τ,  dh_r = Σ_j du_rj W_j,  dW_j = Σ_r du_rj h_r
 *
 * Order. The vocabulary is cut into chunks of 512. Within a chunk, with its maximum M: Σ e^{z−M} and Σ (z−M)
 * e^{z−M} in 16 lanes. Chunks are then merged in ascending order, in double, relative to the greatest M. dh
 * is a chain over j; dW a chain over the rows of the call in their order, from dW.
 *
 * Rows. `rows` lists the rows to work on, rows[n], in the order in which dW is summed; NULL means rows 0 … n
 * − 1. Unless said otherwise, per-row arrays (h, target, logp, …) are indexed by row number r = rows[i], and
 * rows not listed are neither read nor written. No row may be listed twice.
 *
 * Memory: scratch for blocks of rows, shared by the threads of a call: at most 32 MiB of logits, 8 MiB of rows
 * and 4 MiB of statistics, some 0.5 MiB for each thread, and 24 bytes a row. Never rows · vocabulary.
 */
#ifndef TENON_KERNELS_HEAD_H_
#define TENON_KERNELS_HEAD_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_head {
  uint32_t struct_size; /* sizeof(tenon_head) */
  float temperature;    /* τ > 0; tenon_head_sample also takes 0 */
  uint64_t d, vocabulary;
  const float* w_packed; /* W packed by tenon_linear_pack(…, vocabulary, d, …) */
  const float* w; /* W [vocabulary][d], row-major; NULL is allowed where no gradient of h is asked for */
} tenon_head;

/* logp[r], entropy[r], lse[r] of the targets. Each output may be NULL. target[r] in [0, vocabulary). h:
 * [.][d], stride ldh. Threads: (block of rows, chunk of the vocabulary). */
void tenon_head_forward(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                        const float* h, uint64_t ldh, const int32_t* target, float* logp, float* entropy,
                        float* lse);

/* The gradients of that forward. g[r], e[r]: dL/dlogp and dL/dentropy; e NULL means 0. lse[r] and (only if e
 * is given) entropy[r] as the forward gave them. dh[r][d]: overwritten; NULL: not wanted. dw[vocabulary][d]:
 * +=; NULL: not wanted. A listed row with g = 0 and e = 0 gets dh = 0 at no cost, and takes no part in dW.
 * Threads: blocks of dz, of dh and of dW. */
void tenon_head_backward(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                         const float* h, uint64_t ldh, const int32_t* target, const float* lse,
                         const float* entropy, const float* g, const float* e, float* dh, uint64_t lddh,
                         float* dw);

/* Forward and backward in one visit, for gradients known beforehand; the same bits as tenon_head_forward and
 * tenon_head_backward. Where a block of rows' logits fit into the scratch they are computed once
 * (6·vocabulary·d flops a row in place of 8). logp, entropy: outputs, each NULL when not wanted; with both
 * NULL a row with g = 0 and e = 0 costs nothing, otherwise its forward only. */
void tenon_head_visit(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                      const float* h, uint64_t ldh, const int32_t* target, const float* g, const float* e,
                      float* logp, float* entropy, float* dh, uint64_t lddh, float* dw);

/* What sampling may leave out. The filters work one after another on the distribution at τ, renormalised
 * between them: the top_k most likely tokens (0: all); of these the fewest most likely whose probabilities
 * sum to top_p or more (>= 1: all); of these the ones whose probability is at least min_p times the greatest
 * (0: all). Equal logits rank by token id, lowest first. At least one token stays. */
typedef struct tenon_head_filter {
  uint32_t struct_size; /* sizeof(tenon_head_filter) */
  uint32_t top_k;
  float top_p, min_p;
} tenon_head_filter;

/* Draws one token for each of n rows by the inverse of the cumulative distribution.
 * u[i] in [0, 1): row i's uniform number; token[i], logp[i]: the outputs; these three are indexed by i < n,
 * not by r. τ > 0: tokens in id order without a filter, in order of rank with one. τ = 0: the most likely
 * token, lowest id on ties, u unused (may be NULL). logp[i] (NULL: not wanted) has the bits that
 * tenon_head_forward gives for this target at τ, or at τ = 1 where τ = 0: before any filter. filter: NULL for
 * none. A row whose logits have no finite log-sum-exp gets token −1 and logp NaN. Threads: (block of rows,
 * chunk of the vocabulary). */
void tenon_head_sample(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                       const float* h, uint64_t ldh, const float* u, const tenon_head_filter* filter,
                       int32_t* token, float* logp);

/* logits[i][vocabulary] = u of the i-th listed row: raw logits, without temperature, for exports and tests.
 * ldl >= vocabulary. */
void tenon_head_logits(const tenon_executor* ex, const tenon_head* head, uint64_t n, const uint64_t* rows,
                       const float* h, uint64_t ldh, float* logits, uint64_t ldl);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_HEAD_H_ */
