// A field of a row by name or by path, as it is written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenon::dataset_support {

// The raw JSON text of what `path` leads to in the JSON object `object`: a field of exactly that name, or, part by part between dots, fields of objects and
// elements of lists, counted from 0 or from the end ("messages.0.content", "conversations.-1.value"). Nothing: it is not there. Borrows from `object`, which
// must be valid JSON.
std::optional<std::string_view> value_at(std::string_view object, std::string_view path);

// The content of a JSON string, or the raw text of another value.
std::string text_of(std::string_view raw);

// What a raw JSON value is, for messages: "a number", "an object".
const char* kind_of(std::string_view raw);

}  // namespace tenon::dataset_support
