// Values of Arrow arrays as JSON.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/api.h>

#include <string>

namespace tenon::parquet_file {

// Appends the element `i` of an array to `out`. Numbers keep their value: floats as the shortest text that reads back the same; what is not finite is null. Dates, times and
// decimals are strings. Throws Error for a type without a form in JSON (bytes, unions).
void append_json(const arrow::Array& array, int64_t i, std::string& out);

}  // namespace tenon::parquet_file
