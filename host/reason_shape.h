// What reasons have in common that differ from sample to sample.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::host {

// A reason less the data in it, so that reasons which differ in that alone are counted as one: what stands in "", '', `` or “” is "…", a number, with the signs
// of arithmetic around it, is #. Kept are digits inside a word (int32, math#2), the line of a file (rewards.py:5), and the number behind `status`, `code`, `signal`,
// `error`, `errno`, `HTTP` and `step`, which says what happened.
std::string reason_shape(std::string_view reason);

}  // namespace tenon::host
