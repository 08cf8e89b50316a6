// silu(gate)∘up, naively. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_SWIGLU_REFERENCE_H_
#define TENON_KERNELS_CPU_SWIGLU_REFERENCE_H_

#include <cmath>
#include <cstddef>

namespace tenon::kernels::reference {

// y[tokens][ff] from gate_up[tokens][gate | up]
template <typename T>
void swiglu(size_t tokens, size_t ff, const T* gate_up, T* y) {
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t i = 0; i < ff; ++i) {
      const T g = gate_up[t * 2 * ff + i];
      y[t * ff + i] = g / (T(1) + std::exp(-g)) * gate_up[t * 2 * ff + ff + i];
    }
  }
}

template <typename T>
void swiglu_backward(size_t tokens, size_t ff, const T* gate_up, const T* dy, T* d_gate_up) {
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t i = 0; i < ff; ++i) {
      const T g = gate_up[t * 2 * ff + i], u = gate_up[t * 2 * ff + ff + i], d = dy[t * ff + i];
      const T sigma = T(1) / (T(1) + std::exp(-g));
      d_gate_up[t * 2 * ff + i] = d * u * sigma * (T(1) + g * (T(1) - sigma));
      d_gate_up[t * 2 * ff + ff + i] = d * g * sigma;
    }
  }
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_SWIGLU_REFERENCE_H_
