// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace tenon::host {

// results: model → benchmark → metric → number. A table per benchmark, an empty line between two; its first line is headed by the benchmark's name. A row per
// model, a column per metric, in the order in which they came; "-" where a model has no such number. The metrics m_low and m_high of a metric m are the ends of
// its 95 % interval and make one column, behind it. A column of whole numbers of which one is above 1 is printed as such, others with three decimals, from 10 on
// with one. Metrics m/x of a metric m are m in a part x of the benchmark: a table of their own below, a row a part and a column a model (m_low/x and m_high/x, the ends of its interval, are not shown).
// Lines end in newlines.
std::string results_table(const boost::json::object& results);

// A benchmark of one stage, for overview_table.
struct StageResults {
  std::string stage;
  boost::json::object results;  // as results_table's; models that are stages by their whole names
};

// All results of a run: a row per model, those that are no stages first, then `stages` in their order; a column per benchmark with its chief number (`accuracy`, else
// the first metric, which is then named) and 95 % interval; a benchmark that several stages ask of one model has a column each, headed by the stage, too. Empty if
// there are none.
std::string overview_table(const std::vector<StageResults>& results, const std::vector<std::string>& stages);

// How many columns overview_table has.
size_t overview_columns(const std::vector<StageResults>& results);

}  // namespace tenon::host
