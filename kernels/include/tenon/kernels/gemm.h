/* Linear layers: y = x·Wᵀ + b, and the gradients of x, W and b.
 * SPDX-License-Identifier: Apache-2.0
 *
 * m tokens, k inputs, n outputs. W is [n][k] (PyTorch's [out][in]). The forward reads W in panels of 32
 * outputs, packed once after each change of the weights; the gradients read W as it is. A value head is n =
 * 1.
 */
#ifndef TENON_KERNELS_GEMM_H_
#define TENON_KERNELS_GEMM_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Columns of a panel, and bytes to which packed weights are best aligned. */
#define TENON_LINEAR_PANEL 32
#define TENON_LINEAR_ALIGN 64

/* Floats that the packed form of W[n][k] takes: ceil(n / 32) · 32 · k. */
uint64_t tenon_linear_packed_size(uint64_t n, uint64_t k);

/* Packs W into panels [ceil(n/32)][k][32]: packed[p][i][c] = W[32p + c][i]; columns beyond n are 0.
 *
 * Writes the `rows` rows of w (w[rows][k], stride ldw) to output rows first_row … first_row + rows of a
 * packed matrix of n rows, so that several matrices (query, key, value; gate, up) can be packed into one. The
 * columns beyond n are written by the call whose rows end at n. packed: tenon_linear_packed_size(n, k)
 * floats; 64-byte alignment is faster. Threads: panels. */
void tenon_linear_pack(const tenon_executor* ex, uint64_t n, uint64_t k, uint64_t first_row, uint64_t rows,
                       const float* w, uint64_t ldw, float* packed);

/* y[m][n] = (x[m][k]·Wᵀ + bias[n]) + add[m][n].
 * bias, add: NULL when there is none. `add` is a residual (stride ldadd) and may be y itself (y += …), with
 * the same stride. Order: chain over k, then bias, then add. Threads: blocks of y. */
void tenon_linear(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* x, uint64_t ldx,
                  const float* w_packed, const float* bias, const float* add, uint64_t ldadd, float* y,
                  uint64_t ldy);

/* dx[m][k] = dy[m][n]·W[n][k], or += when accumulate is not 0. w is row-major, not packed.
 * Order: chain over n, from dx when accumulating. Threads: blocks of dx. Scratch: at most 1 MiB per thread.
 * */
void tenon_linear_dx(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy,
                     uint64_t lddy, const float* w, uint64_t ldw, int accumulate, float* dx, uint64_t lddx);

/* dw[n][k] += dyᵀ·x, for dy[m][n] and x[m][k].
 * Order: chain over tokens, from dw. Threads: blocks of dw. Scratch: at most 2 MiB per thread. */
void tenon_linear_dw(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy,
                     uint64_t lddy, const float* x, uint64_t ldx, float* dw, uint64_t lddw);

/* dbias[n] += Σ_t dy[t][n]. Order: added in token order, from dbias. Threads: columns. */
void tenon_linear_dbias(const tenon_executor* ex, uint64_t m, uint64_t n, const float* dy, uint64_t lddy,
                        float* dbias);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_GEMM_H_ */
