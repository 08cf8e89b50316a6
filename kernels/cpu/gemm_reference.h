// Linear layers, naively: the truth that the fast ones are judged by. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_GEMM_REFERENCE_H_
#define TENON_KERNELS_CPU_GEMM_REFERENCE_H_

#include <cstddef>

namespace tenon::kernels::reference {

// y[m][n] = x[m][k]·w[n][k]ᵀ + bias[n] + add[m][n]; bias, add: may be null
template <typename T>
void linear(size_t m, size_t n, size_t k, const T* x, const T* w, const T* bias, const T* add, T* y) {
  for (size_t t = 0; t < m; ++t) {
    for (size_t j = 0; j < n; ++j) {
      T sum = 0;
      for (size_t i = 0; i < k; ++i) sum += x[t * k + i] * w[j * k + i];
      if (bias != nullptr) sum += bias[j];
      if (add != nullptr) sum += add[t * n + j];
      y[t * n + j] = sum;
    }
  }
}

// dx[m][k] += dy[m][n]·w[n][k]
template <typename T>
void linear_dx(size_t m, size_t n, size_t k, const T* dy, const T* w, T* dx) {
  for (size_t t = 0; t < m; ++t) {
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < n; ++j) dx[t * k + i] += dy[t * n + j] * w[j * k + i];
    }
  }
}

// dw[n][k] += dy[m][n]ᵀ·x[m][k]; dbias[n] += Σ_t dy (null: not wanted)
template <typename T>
void linear_dw(size_t m, size_t n, size_t k, const T* dy, const T* x, T* dw, T* dbias) {
  for (size_t t = 0; t < m; ++t) {
    for (size_t j = 0; j < n; ++j) {
      for (size_t i = 0; i < k; ++i) dw[j * k + i] += dy[t * n + j] * x[t * k + i];
      if (dbias != nullptr) dbias[j] += dy[t * n + j];
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_GEMM_REFERENCE_H_
