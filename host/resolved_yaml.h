// A checked configuration written out again, with all defaults: config.yaml of a run folder.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "host/plan.h"

namespace tenon::host {

// The preset and all options of a component but those that have no effect, of those that are written in place below it too.
boost::json::object resolved_options(const Spec& spec);

// JSON as YAML in block style; reading it gives the same values.
std::string to_yaml(const boost::json::object& object);

}  // namespace tenon::host
