// Probability ratios of whole columns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::algorithm_support {

// out[k] = exp(a[k] − b[k]) for k < n, in float64, to within 2 units in the last place; infinity, 0 and NaN as std::exp. An element's bits
// depend on its own inputs alone: not on its place, on n, or on the processor.
void exp_of_differences(const float* a, const float* b, uint64_t n, double* out);

// With d = a[k] − b[k] for k < n, in float64: less_one[k] = e^d − 1 and residue[k] = e^d − 1 − d, both to within a few units in the last place, for
// tiny d too; infinity and NaN as std::expm1(d) and std::expm1(d) − d. Bits as those of exp_of_differences.
void expm1_of_differences(const float* a, const float* b, uint64_t n, double* less_one, double* residue);

// Σ (a[k] − b[k]) for k < n, in float64. Its bits depend on the inputs and n alone.
double sum_of_differences(const float* a, const float* b, uint64_t n);

}  // namespace tenon::algorithm_support
