// The linear layers, for the kernels that are made of them.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_LINEAR_OPS_H_
#define TENON_KERNELS_CPU_LINEAR_OPS_H_

#include "tenon/kernels/gemm.h"

namespace tenon::kernels::TENON_ISA {

// As tenon_linear, tenon_linear_dx and tenon_linear_dw.
void linear(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* x, uint64_t ldx,
            const float* w_packed, const float* bias, const float* add, uint64_t ldadd, float* y,
            uint64_t ldy);
void linear_dx(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
               const float* w, uint64_t ldw, int accumulate, float* dx, uint64_t lddx);
void linear_dw(const tenon_executor* ex, uint64_t m, uint64_t n, uint64_t k, const float* dy, uint64_t lddy,
               const float* x, uint64_t ldx, float* dw, uint64_t lddw);

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_LINEAR_OPS_H_
