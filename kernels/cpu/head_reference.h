// The language head, naively, with all logits of a row. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_HEAD_REFERENCE_H_
#define TENON_KERNELS_CPU_HEAD_REFERENCE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenon::kernels::reference {

// z[vocabulary] of one row h[d]; returns ln Σ e^z.
template <typename T>
T head_row(size_t d, size_t vocabulary, T temperature, const T* h, const T* w, std::vector<T>* z) {
  z->assign(vocabulary, T(0));
  T most = -INFINITY, sum = 0;
  for (size_t j = 0; j < vocabulary; ++j) {
    for (size_t i = 0; i < d; ++i) (*z)[j] += h[i] * w[j * d + i];
    (*z)[j] /= temperature;
    if ((*z)[j] > most) most = (*z)[j];
  }
  for (const T x : *z) sum += std::exp(x - most);
  return most + std::log(sum);
}

// logp[n], entropy[n] of h[n][d] with w[vocabulary][d]
template <typename T>
void head_forward(size_t n, size_t d, size_t vocabulary, T temperature, const T* h, const T* w,
                  const int32_t* target, T* logp, T* entropy) {
  std::vector<T> z;
  for (size_t r = 0; r < n; ++r) {
    const T lse = head_row(d, vocabulary, temperature, h + r * d, w, &z);
    logp[r] = z[static_cast<size_t>(target[r])] - lse;
    entropy[r] = 0;
    for (const T x : z) entropy[r] -= std::exp(x - lse) * (x - lse);
  }
}

// dh[n][d] =, dw[vocabulary][d] +=, given g = dL/dlogp and e = dL/dentropy
template <typename T>
void head_backward(size_t n, size_t d, size_t vocabulary, T temperature, const T* h, const T* w,
                   const int32_t* target, const T* g, const T* e, T* dh, T* dw) {
  std::vector<T> z;
  for (size_t r = 0; r < n; ++r) {
    const T lse = head_row(d, vocabulary, temperature, h + r * d, w, &z);
    T entropy = 0;
    for (const T x : z) entropy -= std::exp(x - lse) * (x - lse);
    for (size_t i = 0; i < d; ++i) dh[r * d + i] = 0;
    for (size_t j = 0; j < vocabulary; ++j) {
      const T p = std::exp(z[j] - lse), hit = j == static_cast<size_t>(target[r]) ? T(1) : T(0);
      const T du = (g[r] * (hit - p) - e[r] * p * (z[j] - lse + entropy)) / temperature;
      for (size_t i = 0; i < d; ++i) {
        dh[r * d + i] += du * w[j * d + i];
        dw[j * d + i] += du * h[r * d + i];
      }
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_HEAD_REFERENCE_H_
