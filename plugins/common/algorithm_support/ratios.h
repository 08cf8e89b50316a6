// Probability ratios of whole columns: the one thing of an algorithm that costs time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::algorithm_support {

// out[k] = exp(a[k] − b[k]) for k < n, in float64, to within 2 units in the last place; infinity, 0 and NaN as std::exp. An element's bits
// depend on its own inputs alone: not on its place, on n, or on the processor.
void exp_of_differences(const float* a, const float* b, uint64_t n, double* out);

}  // namespace tenon::algorithm_support
