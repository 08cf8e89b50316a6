// Plugins, components and options as JSON: the answer of `tenon plugins --json` and `tenon describe --json`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "tenon/abi.h"

namespace tenon::host {

// {id, version, vendor, license, url, sdk, runtime, abi, components: […]}
boost::json::object describe_plugin(const tenon_plugin& plugin);

// {kind, id, version, summary, doc, flags, options: […], presets: [{name, doc, options, stage}]}
boost::json::object describe_component(const tenon_component& component);

// [{name, type, doc, default, min, max, unit, values, kind, required, deprecated, advanced, options: […]}];
// what does not apply is left out.
boost::json::array describe_options(const tenon_option* const* table);

// "0 … 1", "≥ 0", "adam, sgd": what an option allows; empty if everything of its type.
std::string allowed(const tenon_option& option);

// The default as it would be written in a configuration; "" if there is none.
std::string default_text(const tenon_option& option);

}  // namespace tenon::host
