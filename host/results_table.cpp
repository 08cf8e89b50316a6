// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#include "host/results_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <vector>

namespace tenon::host {

namespace json = boost::json;

std::string results_table(const json::object& results) {
  std::vector<std::string> columns;
  std::vector<std::map<std::string, std::string>> rows;
  for (const auto& model : results) {
    auto& row = rows.emplace_back();
    for (const auto& benchmark : model.value().as_object()) {
      for (const auto& metric : benchmark.value().as_object()) {
        const std::string column = std::string(benchmark.key()) + " " + std::string(metric.key());
        if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
        row[column] =
            metric.value().is_null() ? "-" : fmt::format("{:.4g}", metric.value().to_number<double>());
      }
    }
  }
  size_t first = 5;
  for (const auto& model : results) first = std::max(first, model.key().size());
  std::string out = fmt::format("{:<{}}", "model", first);
  for (const std::string& column : columns) out += "  " + column;
  out += '\n';
  size_t i = 0;
  for (const auto& model : results) {
    out += fmt::format("{:<{}}", std::string_view(model.key().data(), model.key().size()), first);
    for (const std::string& column : columns) {
      auto cell = rows[i].find(column);
      out += fmt::format("  {:>{}}", cell != rows[i].end() ? cell->second : "-", column.size());
    }
    out += '\n';
    ++i;
  }
  return out;
}

}  // namespace tenon::host
