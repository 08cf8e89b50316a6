// Philox4x32-10 against the known answers of Random123 (kat_vectors of version 1.14).
// SPDX-License-Identifier: Apache-2.0
#include "tenon/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace {

using Words = std::array<uint32_t, 4>;

Words block(uint64_t key, uint64_t hi, uint64_t lo) {
  uint64_t b[2];
  tenon_philox(key, hi, lo, b, 2);
  return {static_cast<uint32_t>(b[0]), static_cast<uint32_t>(b[0] >> 32), static_cast<uint32_t>(b[1]),
          static_cast<uint32_t>(b[1] >> 32)};
}

// Counter and key all zero, all ones, and digits of pi.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(block(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(block(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(block(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, BlocksCanBeDrawnInPieces) {
  std::vector<uint64_t> all(9), part(5);
  tenon_philox(1, 2, 10, all.data(), all.size());
  tenon_philox(1, 2, 12, part.data(), part.size());
  for (size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], all[4 + i]);
}

}  // namespace
