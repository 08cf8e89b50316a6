// SHA-256 (FIPS 180-4) of texts and files, in lower-case hex.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tenon::host {

std::string sha256_of(std::string_view bytes);

// Throws std::runtime_error with the file's name if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace tenon::host
