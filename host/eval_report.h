// What `tenon eval` says of a finished evaluation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>

namespace tenon::host {

// {"run", "model", "results": [{"benchmark", each metric, "seconds", "tokens_per_second"}]} of a finished stage in a run's folder; the seconds are of sampling and judging.
boost::json::object eval_report(const std::filesystem::path& run, const std::string& stage,
                                const std::string& model);

// A row a benchmark, a column a number that one of them has; a line for each estimate that is not over all problems; then a table for each benchmark with domains.
std::string eval_table(const boost::json::object& report);

}  // namespace tenon::host
