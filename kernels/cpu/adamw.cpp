// AdamW and SGD, one pass over a tensor.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/adamw.h"

#include <math.h>

#include "support.h"

namespace tenon::kernels::TENON_ISA {
namespace {

inline F16 constant(double value) {
  return set16(static_cast<float>(value));
}

}  // namespace

// The factors are computed in double and rounded once, and the operations follow torch's order, each rounded
// by itself.
void adamw(const tenon_executor* ex, const tenon_adamw_args* args, uint64_t n, float* param, float* grad,
           float* m, float* v) {
  const double step = static_cast<double>(args->step);
  const F16 decay = constant(1.0 - args->lr * args->weight_decay), grad_scale = constant(args->grad_scale);
  const F16 rate1 = constant(1.0 - args->beta1), beta2 = constant(args->beta2),
            rate2 = constant(1.0 - args->beta2);
  const F16 root2 = constant(sqrt(1.0 - pow(args->beta2, step))), eps = constant(args->eps);
  const F16 rate = constant(-args->lr / (1.0 - pow(args->beta1, step)));
  const bool zero_grad = args->zero_grad != 0;
  for_each16(ex, n, [&](uint64_t i, Mask16 mask) {
    const F16 g = load16(grad + i, mask) * grad_scale;
    F16 p = load16(param + i, mask) * decay;
    F16 first = load16(m + i, mask);
    first = first + rate1 * (g - first);
    const F16 second = load16(v + i, mask) * beta2 + rate2 * (g * g);
    p = p + rate * (first / (sqrt16(second) / root2 + eps));
    store16(m + i, first, mask);
    store16(v + i, second, mask);
    store16(param + i, p, mask);
    if (zero_grad) store16(grad + i, zero16(), mask);
  });
}

void sgd(const tenon_executor* ex, const tenon_sgd_args* args, uint64_t n, float* param, float* grad,
         float* momentum_buffer) {
  const F16 grad_scale = constant(args->grad_scale), decay = constant(args->weight_decay),
            rate = constant(-args->lr);
  const F16 momentum = constant(args->momentum), damping = constant(1.0 - args->dampening);
  const bool has_momentum = args->momentum != 0.0, first = args->step <= 1, nesterov = args->nesterov != 0;
  const bool zero_grad = args->zero_grad != 0;
  for_each16(ex, n, [&](uint64_t i, Mask16 mask) {
    F16 p = load16(param + i, mask);
    F16 g = load16(grad + i, mask) * grad_scale + decay * p;
    if (has_momentum) {
      const F16 buffer = first ? g : momentum * load16(momentum_buffer + i, mask) + damping * g;
      store16(momentum_buffer + i, buffer, mask);
      g = nesterov ? g + momentum * buffer : buffer;
    }
    store16(param + i, p + rate * g, mask);
    if (zero_grad) store16(grad + i, zero16(), mask);
  });
}

}  // namespace tenon::kernels::TENON_ISA
