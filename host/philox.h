// Philox4x32-10, the counter-based random number generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace tenon::host {

// One block. counter and key are little-endian in words: counter[0] is the lowest.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// tenon_host.rng: n numbers, two a block; block b has the counter (lo + b) + hi·2^64, low word of each number first.
void philox_fill(uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n);

}  // namespace tenon::host
