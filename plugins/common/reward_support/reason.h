// Why a sample got the reward it got.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/reward.hpp"

namespace tenon::reward_support {

// Says it of a sample that is OK, where whoever scores wants to know; of others NoReward carries the reason.
inline void give_reason(const Sample& sample, std::string_view why) {
  if (sample.out->reason != nullptr)
    sample.out->reason(sample.out->ctx, sample.index, why.data(), why.size());
}

}  // namespace tenon::reward_support
