// What an encoder needs and the kernels do not have: layer norm, GELU, attention in both directions.
// SPDX-License-Identifier: Apache-2.0
//
// As in the kernels, each output is one sum of fixed order that depends on its own inputs alone: not on the number of rows of a
// call, on what shares it, or on threads; and what is accumulated (+=) over rows is added in their order, so that calls on
// consecutive rows give the bits of one call on all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/host.hpp"
#include "tenon/kernels/executor.h"

namespace tenon::encoder {

// body(begin, end) over [0, n) on the executor's threads.
template <class Body>
void parallel(const tenon_executor* ex, uint64_t n, uint64_t grain, Body&& body) {
  GuardedBody<std::remove_reference_t<Body>> guarded{body};
  ex->parallel_for(ex->ctx, n, grain, guarded.run, &guarded);
  guarded.rethrow();
}

// Layer norm (Ba et al. 2016, arXiv 1607.06450): y = weight ∘ (x − mean) · rstd + bias over each row of width d, rstd = 1/sqrt(var + eps).
// stats [rows][2]: mean and rstd, for the backward. y may be x.
void layer_norm(const tenon_executor* ex, uint64_t rows, uint64_t d, const float* x, const float* weight,
                const float* bias, float eps, float* y, float* stats);
// dx = dL/dx, or += with `accumulate`; dweight and dbias [d] +=. dx may be dy where it does not accumulate.
void layer_norm_backward(const tenon_executor* ex, uint64_t rows, uint64_t d, const float* x,
                         const float* weight, const float* stats, const float* dy, bool accumulate, float* dx,
                         float* dweight, float* dbias);

// GELU (Hendrycks and Gimpel 2016, arXiv 1606.08415) by the error function: y = x·Φ(x). cdf [n] = Φ(x), for the backward.
void gelu(const tenon_executor* ex, uint64_t n, const float* x, float* cdf, float* y);
// The forward's output again, so that it need not be kept.
void gelu_output(const tenon_executor* ex, uint64_t n, const float* x, const float* cdf, float* y);
// dx = dy·(Φ(x) + x·φ(x)); dx may be dy.
void gelu_backward(const tenon_executor* ex, uint64_t n, const float* x, const float* cdf, const float* dy,
                   float* dx);

// Softmax attention of every token to every token of its own sequence; rows of qkv are [queries | keys | values], each `heads` vectors side by
// side, and the scale is 1/sqrt(head_dim).
struct Attention {
  uint64_t heads = 0, head_dim = 0;
  std::vector<uint64_t> offsets;  // [sequences + 1] rows

  uint64_t sequences() const { return offsets.size() - 1; }
  uint64_t longest() const;
  // Floats of the probabilities of all sequences, [heads][length][length] each.
  uint64_t probabilities() const;
};
// out [rows][heads · head_dim]; p: the probabilities, for the backward.
void attention(const tenon_executor* ex, const Attention& a, const float* qkv, float* p, float* out);
// dqkv = dL/dqkv (overwritten).
void attention_backward(const tenon_executor* ex, const Attention& a, const float* qkv, const float* p,
                        const float* dout, float* dqkv);

}  // namespace tenon::encoder
