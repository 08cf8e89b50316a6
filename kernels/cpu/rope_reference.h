// Rotary position embedding, naively. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_ROPE_REFERENCE_H_
#define TENON_KERNELS_CPU_ROPE_REFERENCE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace tenon::kernels::reference {

// x[tokens][heads][d], in place. inv_freq: [d/2]. direction: 1 forward, -1 backward.
template <typename T>
void rope(size_t tokens, size_t heads, size_t d, const int32_t* position, const float* inv_freq,
          int direction, T* x) {
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t h = 0; h < heads; ++h) {
      T* a = x + (t * heads + h) * d;
      for (size_t i = 0; i < d / 2; ++i) {
        const double angle = static_cast<double>(static_cast<float>(position[t]) * inv_freq[i]);
        const T c = static_cast<T>(std::cos(angle)), s = static_cast<T>(direction * std::sin(angle));
        const T first = a[i], second = a[i + d / 2];
        a[i] = first * c - second * s;
        a[i + d / 2] = second * c + first * s;
      }
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_ROPE_REFERENCE_H_
