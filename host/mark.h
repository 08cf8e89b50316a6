// Where a value stands in the user's text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>

namespace tenon::host {

// A place in a file; lines and columns count from 1, columns in bytes. `file` is what the user called it,
// "--set" for the command line (line n is the n-th --set), and empty for a value that comes from a default.
struct Mark {
  std::string file;
  int line = 0, column = 0;

  auto operator<=>(const Mark&) const = default;
};

}  // namespace tenon::host
