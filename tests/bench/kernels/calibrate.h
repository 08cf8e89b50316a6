// The machine's ceilings, by loops that do nothing else.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_TESTS_BENCH_KERNELS_CALIBRATE_H_
#define TENON_TESTS_BENCH_KERNELS_CALIBRATE_H_

#include <cstdint>

namespace tenon::bench {

// Runs `iterations` rounds of 24 independent fused multiply-adds in the widest registers that `isa` has;
// returns their floating-point operations.
double multiply_add_loop(const char* isa, uint64_t iterations);

}  // namespace tenon::bench

#endif  // TENON_TESTS_BENCH_KERNELS_CALIBRATE_H_
