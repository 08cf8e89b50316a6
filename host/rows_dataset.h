// Row sets that stages make: JSON Lines in the stage's folder, and the data set that reads them back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/abi.h"

namespace tenon::host {

// One line, with its newline: {"prompt": text, "messages": […], "completion": text, "meta": {…}}, absent fields left out. Throws RunError if a
// JSON field is not JSON.
std::string row_line(const tenon_row& row);

// The data set of such a file. Its one option is `path`; "" stands for rows that a stage has yet to make, and cannot be read.
const tenon_component& rows_component();

}  // namespace tenon::host
