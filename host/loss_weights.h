// The host's normaliser: how much each token counts in the loss of one optimizer step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/abi.h"

namespace tenon::host {

// Fills weight[0 .. offsets[n_seq]) so that the loss of the mini-batch is Σ weight[t]·loss_t, with N the number of valid sequences:
//   TENON_TOKEN_MEAN       1 / Σ masked-in tokens of all valid sequences       (DAPO, arXiv 2503.14476, eq. 12)
//   TENON_SEQUENCE_MEAN    1 / (N · masked-in tokens of this sequence)         (GRPO, arXiv 2402.03300, eq. 3)
//   TENON_CONSTANT_LENGTH  1 / (N · constant)                                  (Dr. GRPO, arXiv 2503.20783, §3.2)
// `valid` (NULL: all are) takes a sequence out of numerator and denominators; tokens with mask 0 weigh 0. A valid sequence without a masked-in token
// counts in N and weighs nothing. Throws std::invalid_argument for another aggregation, a constant that is not positive, offsets that decrease.
void loss_weights(const tenon_algorithm_info& info, uint64_t n_seq, const uint64_t* offsets,
                  const uint8_t* mask, const uint8_t* valid, double* weight);

}  // namespace tenon::host
