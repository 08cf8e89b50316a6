// Texts that run in the box and are part of this plugin: the fork server of Python, the calls of C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::code {

std::string_view python_driver();
std::string_view cpp_driver();

}  // namespace tenon::code
