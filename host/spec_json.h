// A component's specification as text, for a process that makes the component there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "host/plan.h"

namespace tenon::host {

// With the components in its slots. Throws std::invalid_argument for what only this process has: a slot that holds what a stage made, a plugin that is not
// a file.
std::string spec_text(const Spec& spec);

// Opens the plugins it names. Equal to what spec_text was given, but for places in the configuration. Throws LoadError, or std::invalid_argument if it is
// not a text of spec_text.
std::shared_ptr<Spec> spec_of_text(const std::string& text);

}  // namespace tenon::host
