// AdamW and SGD for one element, naively, in torch.optim's order of operations. T is float or double.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_ADAMW_REFERENCE_H_
#define TENON_KERNELS_CPU_ADAMW_REFERENCE_H_

#include <cmath>

#include "tenon/kernels/adamw.h"

namespace tenon::kernels::reference {

template <typename T>
void adamw(const tenon_adamw_args& a, T* p, T g, T* m, T* v) {
  g *= T(a.grad_scale);
  *p *= T(1 - a.lr * a.weight_decay);
  *m += T(1 - a.beta1) * (g - *m);
  *v = *v * T(a.beta2) + T(1 - a.beta2) * g * g;
  const double steps = static_cast<double>(a.step);
  const T denominator = std::sqrt(*v) / T(std::sqrt(1 - std::pow(a.beta2, steps))) + T(a.eps);
  *p -= T(a.lr / (1 - std::pow(a.beta1, steps))) * (*m / denominator);
}

template <typename T>
void sgd(const tenon_sgd_args& a, T* p, T g, T* buffer) {
  g = g * T(a.grad_scale) + T(a.weight_decay) * *p;
  if (a.momentum != 0) {
    *buffer = a.step <= 1 ? g : T(a.momentum) * *buffer + T(1 - a.dampening) * g;
    g = a.nesterov != 0 ? g + T(a.momentum) * *buffer : *buffer;
  }
  *p -= T(a.lr) * g;
}

}  // namespace tenon::kernels::reference

#endif  // TENON_KERNELS_CPU_ADAMW_REFERENCE_H_
