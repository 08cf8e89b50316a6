// How a row came to be, in its meta.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/host.hpp"

namespace tenon::stages {

// `meta` (a JSON object, or empty) with a field "provenance" of these fields ("\"model\":\"r1\",\"row\":7"). That of the row it was made from, if it has one, becomes
// the field "before" of the new one.
std::string with_provenance(const std::string& meta, const std::string& fields);

// `meta` with one more field; `value` is JSON. A field of that name must not be there.
std::string with_field(const std::string& meta, const std::string& name, const std::string& value);

// The name in the reference option `path`, "base" of base or {"of": "base"}, as the configuration has it: of a model that a stage made, that stage. `fallback`: one that is defined in place.
std::string written_name(const Host& host, const std::string& path, const std::string& fallback);

}  // namespace tenon::stages
