// Probability ratios of whole columns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::algorithm_support {

// out[k] = exp(a[k] − b[k]) for k < n, in float64, to within 2 units in the last place; infinity, 0 and NaN as std::exp. An element's bits
// depend on its own inputs alone: not on its place, on n, or on the processor.
void exp_of_differences(const float* a, const float* b, uint64_t n, double* out);

// Σ (a[k] − b[k]) for k < n, in float64. Its bits depend on the inputs and n alone.
double sum_of_differences(const float* a, const float* b, uint64_t n);

}  // namespace tenon::algorithm_support
