/* RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4), forward and backward.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A token holds `groups` vectors of width d side by side, each normalised by itself with the same weight:
 * groups = 1 for a layer's norm, the number of heads for a norm of queries or keys (Qwen3). Vector (t, g)
 * starts at x + t·ldx + g·d.
 */
#ifndef TENON_KERNELS_RMSNORM_H_
#define TENON_KERNELS_RMSNORM_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = weight ∘ (x · rstd), rstd = 1 / sqrt(mean(x²) + eps).
 * x, y: [tokens][groups·d]; y may be x. weight: [d]. rstd: [tokens][groups], saved for the backward, or NULL.
 * Order: x² summed in 16 lanes. Threads: tokens. */
void tenon_rmsnorm(const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d, const float* x,
                   uint64_t ldx, const float* weight, float eps, float* y, uint64_t ldy, float* rstd);

/* With x̂ = x·rstd and c = mean(dy∘weight∘x̂) over the vector:
 *   dx = rstd · (dy∘weight − x̂·c), or += when accumulate is not 0;   dweight[d] += Σ_(t,g) dy∘x̂.
 * x, dy, dx: [tokens][groups·d]; dx may be dy (without accumulate). rstd: [tokens][groups] of the forward.
 * dx, dweight: NULL when not wanted. Order: c in 16 lanes; dweight a chain over (t, g), from dweight.
 * Threads: tokens for dx, columns for dweight. */
void tenon_rmsnorm_backward(const tenon_executor* ex, uint64_t tokens, uint64_t groups, uint64_t d,
                            const float* x, uint64_t ldx, const float* weight, const float* rstd,
                            const float* dy, uint64_t lddy, int accumulate, float* dx, uint64_t lddx,
                            float* dweight);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_RMSNORM_H_ */
