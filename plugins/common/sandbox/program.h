// The box's program, a static executable that is part of this library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::sandbox {

std::string_view box_program();

}  // namespace tenon::sandbox
