// The host's normaliser.
// SPDX-License-Identifier: Apache-2.0
#include "host/loss_weights.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace tenon::host {

void loss_weights(const tenon_algorithm_info& info, uint64_t n_seq, const uint64_t* offsets,
                  const uint8_t* mask, const uint8_t* valid, double* weight) {
  if (info.aggregation < TENON_TOKEN_MEAN || info.aggregation > TENON_CONSTANT_LENGTH)
    throw std::invalid_argument("the algorithm's aggregation is " + std::to_string(info.aggregation) +
                                "; it must be 0, 1 or 2");
  if (info.aggregation == TENON_CONSTANT_LENGTH && !(info.constant > 0 && std::isfinite(info.constant)))
    throw std::invalid_argument("the algorithm's constant length is " + std::to_string(info.constant) +
                                "; it must be positive");

  auto is_valid = [&](uint64_t i) { return valid == nullptr || valid[i] != 0; };
  auto tokens_of = [&](uint64_t i) {
    uint64_t n = 0;
    for (uint64_t t = offsets[i]; t < offsets[i + 1]; ++t) n += mask[t] != 0;
    return n;
  };
  uint64_t sequences = 0, tokens = 0;
  for (uint64_t i = 0; i < n_seq; ++i) {
    if (offsets[i + 1] < offsets[i])
      throw std::invalid_argument("the offsets of sequence " + std::to_string(i) + " decrease");
    if (!is_valid(i)) continue;
    ++sequences;
    tokens += tokens_of(i);
  }
  for (uint64_t i = 0; i < n_seq; ++i) {
    const uint64_t own = is_valid(i) ? tokens_of(i) : 0;
    double denominator = 1;
    if (info.aggregation == TENON_TOKEN_MEAN) denominator = static_cast<double>(tokens);
    if (info.aggregation == TENON_SEQUENCE_MEAN)
      denominator = static_cast<double>(sequences) * static_cast<double>(own);
    if (info.aggregation == TENON_CONSTANT_LENGTH)
      denominator = static_cast<double>(sequences) * info.constant;
    const double w = own > 0 ? 1.0 / denominator : 0.0;
    for (uint64_t t = offsets[i]; t < offsets[i + 1]; ++t) weight[t] = mask[t] != 0 ? w : 0.0;
  }
}

}  // namespace tenon::host
