/* Philox4x32-10, the counter-based random numbers behind tenon_host.rng. */
/* SPDX-License-Identifier: Apache-2.0 */
/* J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3. */
#ifndef TENON_PHILOX_H_
#define TENON_PHILOX_H_

#include <stdint.h>

/* n numbers of stream `hi` under `key`, two a block: out[2b] and out[2b+1] are block (hi, lo + b), the low word of each number first. */
static inline void tenon_philox(uint64_t key, uint64_t hi, uint64_t lo, uint64_t *out, uint64_t n) {
  uint64_t i;
  for (i = 0; i < n; i += 2, ++lo) {
    uint32_t c0 = (uint32_t)lo, c1 = (uint32_t)(lo >> 32), c2 = (uint32_t)hi, c3 = (uint32_t)(hi >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    int round;
    for (round = 0; round < 10; ++round) {
      const uint64_t p0 = (uint64_t)0xD2511F53 * c0, p1 = (uint64_t)0xCD9E8D57 * c2;
      c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
      c1 = (uint32_t)p1;
      c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
      c3 = (uint32_t)p0;
      k0 += 0x9E3779B9; /* the golden ratio */
      k1 += 0xBB67AE85; /* sqrt(3) - 1 */
    }
    out[i] = c0 | (uint64_t)c1 << 32;
    if (i + 1 < n) out[i + 1] = c2 | (uint64_t)c3 << 32;
  }
}

#endif /* TENON_PHILOX_H_ */
