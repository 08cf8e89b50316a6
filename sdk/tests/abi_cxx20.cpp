// abi.h as strict C++20: the same layouts as in C, trivially copyable.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/abi.h"

#include <type_traits>

static_assert(sizeof(tenon_str) == 16 && sizeof(tenon_ragged) == 24);
static_assert(offsetof(tenon_error, msg) == 8 && offsetof(tenon_error, len) == 24);
static_assert(std::is_trivially_copyable_v<tenon_host> && std::is_standard_layout_v<tenon_host>);
static_assert(std::is_trivially_copyable_v<tenon_rollout> && std::is_standard_layout_v<tenon_rollout>);
static_assert(std::is_trivially_copyable_v<tenon_component> && std::is_standard_layout_v<tenon_component>);
