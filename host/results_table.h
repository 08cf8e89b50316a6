// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace tenon::host {

// results: model → benchmark → metric → number. A row per model, a column per benchmark and metric, in the order in which they came; "-" where a model has
// no such number. Lines end in newlines.
std::string results_table(const boost::json::object& results);

}  // namespace tenon::host
