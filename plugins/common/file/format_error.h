// The one exception of the file-format libraries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tenon::io {

// Thrown for every file that cannot be read, is truncated, is corrupt, or uses a feature this reader does not
// support, and for every file that cannot be written. The message starts with the file's name; where a place
// in the file is to blame it goes on with a byte offset or a JSON path, then says what was found and what was
// expected.
class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;

  // "<file>: byte <offset>: <what>"
  FormatError(const std::string& file, uint64_t offset, const std::string& what)
      : std::runtime_error(file + ": byte " + std::to_string(offset) + ": " + what) {}

  // "<file>: <what>"
  FormatError(const std::string& file, const std::string& what) : std::runtime_error(file + ": " + what) {}
};

}  // namespace tenon::io
