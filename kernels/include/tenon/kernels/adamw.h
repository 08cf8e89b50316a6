/* Optimizer updates, fused into one pass over a tensor: AdamW and SGD.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TENON_KERNELS_ADAMW_H_
#define TENON_KERNELS_ADAMW_H_

#include "tenon/kernels/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2) as torch.optim.AdamW computes it:
 *   g' = grad_scale·g;  p -= lr·weight_decay·p;  m += (1−β1)(g' − m);  v = β2·v + (1−β2) g'²
 *   p -= lr/(1−β1^step) · m / (sqrt(v)/sqrt(1−β2^step) + eps) */
typedef struct tenon_adamw_args {
  uint32_t struct_size; /* sizeof(tenon_adamw_args) */
  uint32_t zero_grad;   /* not 0: grad is set to 0 in the same pass */
  double lr, beta1, beta2, eps, weight_decay;
  double grad_scale; /* 1, or less to clip */
  uint64_t step;     /* 1 at the first update */
} tenon_adamw_args;

/* Updates param[n], m[n], v[n] by grad[n]. m and v start at 0. No element depends on another. Threads:
 * elements. */
void tenon_adamw(const tenon_executor* ex, const tenon_adamw_args* args, uint64_t n, float* param,
                 float* grad, float* m, float* v);

/* SGD as torch.optim.SGD computes it:
 *   g' = grad_scale·g + weight_decay·p;  buf = g' at step 1, then momentum·buf + (1−dampening) g'
 *   p -= lr·(nesterov ? g' + momentum·buf : buf).   Without momentum: p -= lr·g'. */
typedef struct tenon_sgd_args {
  uint32_t struct_size; /* sizeof(tenon_sgd_args) */
  uint32_t zero_grad;   /* not 0: grad is set to 0 in the same pass */
  double lr, momentum, dampening, weight_decay;
  double grad_scale;
  uint64_t step; /* 1 at the first update */
  uint32_t nesterov, _pad;
} tenon_sgd_args;

/* Updates param[n] and momentum_buffer[n] (NULL when momentum is 0) by grad[n]. Threads: elements. */
void tenon_sgd(const tenon_executor* ex, const tenon_sgd_args* args, uint64_t n, float* param, float* grad,
               float* momentum_buffer);

#ifdef __cplusplus
}
#endif

#endif /* TENON_KERNELS_ADAMW_H_ */
