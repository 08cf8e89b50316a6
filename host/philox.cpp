// Philox4x32-10.
// SPDX-License-Identifier: Apache-2.0
#include "host/philox.h"

namespace tenon::host {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;    // the multipliers of §3.3
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;  // golden ratio, √3 − 1
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMul0 * c[0], p1 = kMul1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(p0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return c;
}

void philox_fill(uint64_t key, uint64_t hi, uint64_t lo, uint64_t* out, uint64_t n) {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  for (uint64_t i = 0; i < n; i += 2, ++lo) {
    const std::array<uint32_t, 4> x =
        philox4x32({low(lo), high(lo), low(hi), high(hi)}, {low(key), high(key)});
    out[i] = x[0] | uint64_t{x[1]} << 32;
    if (i + 1 < n) out[i + 1] = x[2] | uint64_t{x[3]} << 32;
  }
}

}  // namespace tenon::host
