/* The gated unit silu(gate)∘up of Llama's feed-forward (Shazeer 2020, arXiv 2002.05202, eq. 6).
 * SPDX-License-Identifier: Apache-2.0
 *
 * silu(x) = x·σ(x), σ(x) = 1 / (1 + exp(−x)). A row of gate_up holds the ff gates, then the ff ups: [gate |
 * up], as one linear layer gives them.
 */
#ifndef TENON_KERNELS_SWIGLU_H_
#define TENON_KERNELS_SWIGLU_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[tokens][ff] = silu(gate)∘up from gate_up[tokens][2·ff]. y may be the gate half of gate_up (same stride).
 * Threads: tokens. */
void tenon_swiglu(const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up, uint64_t ldg,
                  float* y, uint64_t ldy);

/* d_gate_up[tokens][2·ff] from gate_up and dy[tokens][ff]:
 *   dgate = dy∘up∘σ(gate)∘(1 + gate∘(1 − σ(gate))),  dup = dy∘silu(gate).
 * d_gate_up may be gate_up itself (same stride). y: NULL, or [tokens][ff] to have the forward's output
 * computed again, with its bits, so that it need not be kept. Threads: tokens. */
void tenon_swiglu_backward(const tenon_executor* ex, uint64_t tokens, uint64_t ff, const float* gate_up,
                           uint64_t ldg, const float* dy, uint64_t lddy, float* d_gate_up, uint64_t lddg,
                           float* y, uint64_t ldy);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_SWIGLU_H_ */
