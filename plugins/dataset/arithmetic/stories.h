// The stories that questions in words are told with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace tenon::arithmetic {

// `text` has {a} and {b} (people), {o} (things, plural), {x}, {y} and, with two operations, {z}. The answer
// is ((x op0 y) op1 z).
struct Story {
  std::string_view operations;  // one or two of + - *, in order; * only first
  std::string_view text;
};

std::span<const Story> stories();
std::span<const std::string_view> people();
std::span<const std::string_view> things();

}  // namespace tenon::arithmetic
