// RMSNorm, naively. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_RMSNORM_REFERENCE_H_
#define TENON_KERNELS_CPU_RMSNORM_REFERENCE_H_

#include <cmath>
#include <cstddef>

namespace tenon::kernels::reference {

// x, y: [rows][d]; rstd: [rows]
template <typename T>
void rmsnorm(size_t rows, size_t d, const T* x, const T* weight, T eps, T* y, T* rstd) {
  for (size_t r = 0; r < rows; ++r) {
    T squares = 0;
    for (size_t i = 0; i < d; ++i) squares += x[r * d + i] * x[r * d + i];
    rstd[r] = T(1) / std::sqrt(squares / T(d) + eps);
    for (size_t i = 0; i < d; ++i) y[r * d + i] = weight[i] * x[r * d + i] * rstd[r];
  }
}

// dx[rows][d] =, dweight[d] +=
template <typename T>
void rmsnorm_backward(size_t rows, size_t d, const T* x, const T* weight, const T* rstd, const T* dy, T* dx,
                      T* dweight) {
  for (size_t r = 0; r < rows; ++r) {
    const T *xr = x + r * d, *g = dy + r * d;
    T mean = 0;
    for (size_t i = 0; i < d; ++i) mean += g[i] * weight[i] * xr[i] * rstd[r] / T(d);
    for (size_t i = 0; i < d; ++i) {
      dx[r * d + i] = rstd[r] * (g[i] * weight[i] - xr[i] * rstd[r] * mean);
      dweight[i] += g[i] * xr[i] * rstd[r];
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_RMSNORM_REFERENCE_H_
