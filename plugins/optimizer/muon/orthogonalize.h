// The nearest matrix with orthonormal rows, approximately.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/kernels/executor.h"

namespace tenon::muon {

// Newton-Schulz iteration of fifth order in fp32 (Jordan et al., "Muon", 2024; coefficients 3.4445, −4.7750, 2.0315):
//   X₀ = G / max(‖G‖, 1e-7)        A = X Xᵀ        X ← a X + (b A + c A²) X
// Its singular values end between about 0.7 and 1.2, and are not made exactly 1. A tall matrix is transposed first, and back:
// the result for Gᵀ is that for G, transposed. Keeps its scratch space between calls. Not for several threads at once.
class Orthogonalizer {
 public:
  // Replaces x[rows][cols], in place. Bits do not depend on the number of threads.
  void operator()(const tenon_executor* executor, uint64_t steps, uint64_t rows, uint64_t cols, float* x);

 private:
  std::vector<float> x_, next_, gram_, square_, packed_;
};

}  // namespace tenon::muon
