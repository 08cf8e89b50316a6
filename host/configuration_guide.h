// docs/configuration.md, from the tables that `tenon check` goes by.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "host/registry.h"

namespace tenon::host {

// The whole guide: the language, then every component. Depends on nothing but the option tables.
std::string configuration_guide(const std::vector<RegisteredComponent>& components);

// The sections of the components alone, by kind.
std::string component_guide(const std::vector<RegisteredComponent>& components);

}  // namespace tenon::host
