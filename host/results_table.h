// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace tenon::host {

// results: model → benchmark → metric → number. A table per benchmark, an empty line between two; its first line is headed by the benchmark's name. A row per
// model, a column per metric, in the order in which they came; "-" where a model has no such number. The metrics m_low and m_high of a metric m are the ends of
// its 95 % interval and make one column, behind it. A column of whole numbers of which one is above 1 is printed as such, others with three decimals, from 10 on
// with one. Lines end in newlines.
std::string results_table(const boost::json::object& results);

}  // namespace tenon::host
