// Philox4x32-10 against the known answers of Random123 (kat_vectors of version 1.14).
// SPDX-License-Identifier: Apache-2.0
#include "host/philox.h"

#include <gtest/gtest.h>

#include <vector>

namespace tenon::host {
namespace {

using Block = std::array<uint32_t, 4>;

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, FillPutsCounterAndKeyWhereTheAbiSays) {
  uint64_t out[2];
  philox_fill(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, out, 2);
  EXPECT_EQ(out[0], 0x94fdccebd16cfe09u);
  EXPECT_EQ(out[1], 0x24126ea15001e420u);
}

TEST(Philox, BlocksCanBeDrawnInPieces) {
  std::vector<uint64_t> all(9), part(5);
  philox_fill(1, 2, 10, all.data(), all.size());
  philox_fill(1, 2, 12, part.data(), part.size());
  for (size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], all[4 + i]);
}

}  // namespace
}  // namespace tenon::host
