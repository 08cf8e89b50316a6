// The normaliser against weights worked out by hand.
// SPDX-License-Identifier: Apache-2.0
#include "host/loss_weights.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace tenon::host {
namespace {

// Three sequences of 4, 3 and 2 tokens; 2, 1 and 2 of them count.
const std::vector<uint64_t> kOffsets{0, 4, 7, 9};
const std::vector<uint8_t> kMask{0, 0, 1, 1, 0, 0, 1, 1, 1};

std::vector<double> weights(int32_t aggregation, double constant = 0, const std::vector<uint8_t>& valid = {},
                            const std::vector<uint8_t>& mask = kMask) {
  tenon_algorithm_info info{sizeof info, 0, aggregation, 0, constant};
  std::vector<double> w(9, -1.0);
  loss_weights(info, 3, kOffsets.data(), mask.data(), valid.empty() ? nullptr : valid.data(), w.data());
  return w;
}

TEST(LossWeights, TokenMean) {
  EXPECT_EQ(weights(TENON_TOKEN_MEAN), (std::vector<double>{0, 0, 0.2, 0.2, 0, 0, 0.2, 0.2, 0.2}));
  EXPECT_EQ(weights(TENON_TOKEN_MEAN, 0, {1, 0, 1}),
            (std::vector<double>{0, 0, 0.25, 0.25, 0, 0, 0, 0.25, 0.25}));
}

TEST(LossWeights, SequenceMean) {
  const double third = 1.0 / 3;
  EXPECT_EQ(weights(TENON_SEQUENCE_MEAN),
            (std::vector<double>{0, 0, 1.0 / 6, 1.0 / 6, 0, 0, third, 1.0 / 6, 1.0 / 6}));
  EXPECT_EQ(weights(TENON_SEQUENCE_MEAN, 0, {0, 1, 1}),
            (std::vector<double>{0, 0, 0, 0, 0, 0, 0.5, 0.25, 0.25}));
}

TEST(LossWeights, ConstantLength) {
  const double w = 1.0 / (3 * 8.0);
  EXPECT_EQ(weights(TENON_CONSTANT_LENGTH, 8), (std::vector<double>{0, 0, w, w, 0, 0, w, w, w}));
  EXPECT_EQ(weights(TENON_CONSTANT_LENGTH, 8, {0, 0, 1}),
            (std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0.125, 0.125}));
}

TEST(LossWeights, NothingToWeighIsZeroNotInfinite) {
  const std::vector<double> zero(9, 0.0);
  for (int32_t aggregation : {TENON_TOKEN_MEAN, TENON_SEQUENCE_MEAN, TENON_CONSTANT_LENGTH}) {
    EXPECT_EQ(weights(aggregation, 8, {0, 0, 0}), zero);
    EXPECT_EQ(weights(aggregation, 8, {}, std::vector<uint8_t>(9, 0)), zero);
  }
  // A valid sequence without a token that counts stays in the number of sequences.
  EXPECT_EQ(weights(TENON_SEQUENCE_MEAN, 0, {1, 1, 0}, {0, 0, 1, 1, 0, 0, 0, 1, 1}),
            (std::vector<double>{0, 0, 0.25, 0.25, 0, 0, 0, 0, 0}));
}

TEST(LossWeights, WrongArgumentsAreErrors) {
  EXPECT_THROW(weights(3), std::invalid_argument);
  EXPECT_THROW(weights(TENON_CONSTANT_LENGTH, 0), std::invalid_argument);
  const std::vector<uint64_t> decreasing{0, 4, 3, 9};
  tenon_algorithm_info info{sizeof info, 0, TENON_TOKEN_MEAN, 0, 0};
  std::vector<double> w(9);
  EXPECT_THROW(loss_weights(info, 3, decreasing.data(), kMask.data(), nullptr, w.data()),
               std::invalid_argument);
}

}  // namespace
}  // namespace tenon::host
