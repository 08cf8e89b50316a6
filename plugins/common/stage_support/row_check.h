// The rows of a data set, tried before anything is trained.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "stage_support/row_text.h"

namespace tenon::stages {

// How much of a data set is tried: of one with an end, this many rows or bytes of text, whichever comes first; of one without, its first rows.
inline constexpr uint64_t kCheckedRows = 100'000;
inline constexpr uint64_t kCheckedBytes = uint64_t{64} << 20;
inline constexpr uint64_t kCheckedOfUnbounded = 64;

// Calls use(row) for the rows [0, most) of the data set in slot `data`, as far as the bounds above go; on several threads where the tokenizer in slot
// `tokenizer` allows it. If it throws tenon::Error for any row, throws TENON_E_INVALID that starts with the slot and lists the first of them: index, place,
// beginning, reason. Called when a stage is made, it turns a row that cannot be used from the end of a run into an error before its first step. Rows beyond the
// bounds are left to the step that takes them, and the log says so. A stream, whose rows have no index, and rows that an earlier stage is yet to make are
// not read. A TokenizerError comes through with the slot before its text.
void check_rows(const Host& host, const std::string& data, const std::string& tokenizer, uint64_t most,
                const std::function<void(const Row&)>& use);

// Whether a data set has no end. The rows of a stage that has not run yet have one, which is not known yet: their count is TENON_COUNT_UNBOUNDED, and reading
// them TENON_E_STATE.
bool is_endless(const Dataset& data);

}  // namespace tenon::stages
