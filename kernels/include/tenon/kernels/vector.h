/* Element-wise work on long vectors, and the sum of squares that a gradient's norm is made of.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TENON_KERNELS_VECTOR_H_
#define TENON_KERNELS_VECTOR_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x[n] = 0. Threads: elements, as for all below. */
void tenon_zero(const tenon_executor* ex, uint64_t n, float* x);

/* x[n] *= a. */
void tenon_scale(const tenon_executor* ex, uint64_t n, float a, float* x);

/* y[n] = fma(a, x[n], y[n]). */
void tenon_axpy(const tenon_executor* ex, uint64_t n, float a, const float* x, float* y);

/* y[n] = a[n] + b[n]. y may be a or b. */
void tenon_add(const tenon_executor* ex, uint64_t n, const float* a, const float* b, float* y);

/* Σ x[i]², in double: blocks of 4,096 elements, each summed in 16 lanes of double by fused multiply-add, then
 * the blocks in ascending order. */
double tenon_sum_of_squares(const tenon_executor* ex, uint64_t n, const float* x);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_VECTOR_H_ */
