// Newton-Schulz iteration on the CPU kernels.
// SPDX-License-Identifier: Apache-2.0
#include "orthogonalize.h"

#include <algorithm>
#include <cmath>

#include "tenon/kernels/gemm.h"
#include "tenon/kernels/vector.h"

namespace tenon::muon {
namespace {

constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr double kLeastNorm = 1e-7;

// to[cols][rows] = from[rows][cols]ᵀ, in squares that fit a cache.
void transpose(uint64_t rows, uint64_t cols, const float* from, float* to) {
  constexpr uint64_t kSide = 32;
  for (uint64_t i0 = 0; i0 < rows; i0 += kSide)
    for (uint64_t j0 = 0; j0 < cols; j0 += kSide)
      for (uint64_t i = i0; i < std::min(rows, i0 + kSide); ++i)
        for (uint64_t j = j0; j < std::min(cols, j0 + kSide); ++j) to[j * rows + i] = from[i * cols + j];
}

}  // namespace

void Orthogonalizer::operator()(const tenon_executor* executor, uint64_t steps, uint64_t rows, uint64_t cols,
                                float* x) {
  const bool is_tall = rows > cols;
  const uint64_t m = std::min(rows, cols), n = std::max(rows, cols);
  x_.resize(m * n), next_.resize(m * n), gram_.resize(m * m), square_.resize(m * m);
  packed_.resize(tenon_linear_packed_size(m, n));
  if (is_tall)
    transpose(rows, cols, x, x_.data());
  else
    std::copy(x, x + m * n, x_.data());

  const double norm = std::sqrt(tenon_sum_of_squares(executor, m * n, x_.data()));
  tenon_scale(executor, m * n, static_cast<float>(1 / std::max(norm, kLeastNorm)), x_.data());
  for (uint64_t s = 0; s < steps; ++s) {
    // gram = X Xᵀ; square = gram² = gram gramᵀ, as it is symmetric to the bit
    tenon_linear_pack(executor, m, n, 0, m, x_.data(), n, packed_.data());
    tenon_linear(executor, m, m, n, x_.data(), n, packed_.data(), nullptr, nullptr, 0, gram_.data(), m);
    tenon_linear_pack(executor, m, m, 0, m, gram_.data(), m, packed_.data());
    tenon_linear(executor, m, m, m, gram_.data(), m, packed_.data(), nullptr, nullptr, 0, square_.data(), m);
    tenon_scale(executor, m * m, kC, square_.data());
    tenon_axpy(executor, m * m, kB, gram_.data(), square_.data());
    next_ = x_;
    tenon_scale(executor, m * n, kA, next_.data());
    tenon_linear_dx(executor, m, m, n, square_.data(), m, x_.data(), n, 1, next_.data(), n);
    std::swap(x_, next_);
  }
  if (is_tall)
    transpose(cols, rows, x_.data(), x);
  else
    std::copy(x_.begin(), x_.end(), x);
}

}  // namespace tenon::muon
