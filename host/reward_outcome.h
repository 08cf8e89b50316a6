// What a reward's answer comes to: the one place that says when a sample has a number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tenon/abi.h"

namespace tenon::host {

// "timed out"
const char* reward_status_name(int32_t status);

// What a call of tenon_reward_vt.score that had this deadline (monotonic_ns; 0: none) and returns now has returned: `code`, but TIMEOUT for CANCELLED behind
// the deadline, since whoever stops because `cancelled` says so may take the one for the other.
int32_t settled_code(int32_t code, int64_t deadline_ns);

// Of a settled code: an error that concerns the samples of the call and no others (TIMEOUT, TRANSIENT, IO). Any other is one of the reward itself.
bool is_error_of_samples(int32_t code);

// Makes of what a reward left of one sample (why: its own words, or none) what counts. After an error of the samples (`code`, text `error`) it has timed out or
// crashed. Else a status that is not set or not known, and an OK whose reward, or that of one of its `tokens` (NaN: none), is not finite, is a crash. A reward
// that is not OK is 0.
void settle(int32_t code, const std::string& error, std::span<const double> tokens, double& reward,
            int32_t& status, std::string& why);

// Notes of a sample that are kept.
inline constexpr size_t kMaxNotes = 100;
// Why a note of this name, of a sample that has had `before`, is not recorded; empty: it is.
std::string note_fault(std::string_view name, size_t before);

}  // namespace tenon::host
