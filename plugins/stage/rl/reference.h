// The reference policy: frozen, refreshed now and then, or following slowly.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/host.hpp"
#include "tenon/rollout.hpp"

namespace tenon::rl {

// Puts α·policy + (1 − α)·reference into the reference's parameters (α = 1: a copy; DeepSeek-R1 refreshes so every 400 updates; else TR-DPO's
// mixing, Gorbatovski et al., arXiv 2404.09656, eq. 8), and announces them as `version`. Both models have the same shape. CPU only.
void mix_reference(const Host& host, const tenon_call* call, const Model& policy, const Model& reference,
                   double alpha, uint64_t version);

}  // namespace tenon::rl
