/* Rotary position embedding (Su et al. 2021, arXiv 2104.09864), half-split as in Hugging Face's Llama.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TENON_KERNELS_ROPE_H_
#define TENON_KERNELS_ROPE_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fills table[positions][d]: row p holds cos(p·inv_freq[i]) for i < d/2, then sin(p·inv_freq[i]).
 * d: width of a head, even. inv_freq: [d/2]; for plain RoPE inv_freq[i] = theta^(-2i/d). The angle
 * p·inv_freq[i] is rounded to fp32, as in Hugging Face's; its cosine and sine are taken in double, then
 * multiplied by `scale` (1, or YaRN's attention factor). Threads: rows. */
void tenon_rope_table(const tenon_executor* ex, uint64_t positions, uint64_t d, const float* inv_freq,
                      float scale, float* table);

/* Rotates, in place, `heads` vectors of width d that lie side by side in each token's row: vector (t, h)
 * starts at x + t·ldx + h·d. With c, s = row position[t] of the table, and x = (a, b) its two halves:
 *   inverse == 0:  a' = a∘c − b∘s,  b' = b∘c + a∘s;   inverse != 0 (the backward):  a' = a∘c + b∘s,  b' = b∘c
 *   − a∘s.
 * d is a multiple of 2. position: [tokens], each less than the table's rows. Order: first product rounded,
 * second fused. Threads: tokens. */
void tenon_rope(const tenon_executor* ex, uint64_t tokens, uint64_t heads, uint64_t d,
                const int32_t* position, const float* table, int inverse, float* x, uint64_t ldx);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_ROPE_H_ */
