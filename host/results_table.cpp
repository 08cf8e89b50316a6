// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#include "host/results_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "host/shown_text.h"

namespace tenon::host {

namespace json = boost::json;

namespace {

struct Column {
  std::string heading;
  std::vector<std::string> cells;
};

// In characters; what is printed has none that is wide.
size_t width(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padding(const std::string& text, size_t to) {
  return std::string(to - width(text), ' ');
}

size_t column_width(const Column& column) {
  size_t w = width(column.heading);
  for (const std::string& cell : column.cells) w = std::max(w, width(cell));
  return w;
}

// The first column flush left, the others flush right.
std::string written(Column first, std::vector<Column> columns) {
  for (std::string& name : first.cells) name = shown_text(name);
  first.heading = shown_text(first.heading);
  for (Column& c : columns) c.heading = shown_text(c.heading);
  const size_t w = column_width(first);
  std::string out = first.heading + padding(first.heading, w);
  for (const Column& c : columns) out += "  " + padding(c.heading, column_width(c)) + c.heading;
  out += '\n';
  for (size_t i = 0; i < first.cells.size(); ++i) {
    out += first.cells[i] + padding(first.cells[i], w);
    for (const Column& c : columns) out += "  " + padding(c.cells[i], column_width(c)) + c.cells[i];
    out += '\n';
  }
  return out;
}

std::string number_text(std::optional<double> v, bool is_count) {
  if (!v) return "-";
  if (is_count) return fmt::format("{:.0f}", *v);
  const double size = std::abs(*v);
  if (size != 0 && (size < 1e-3 || size >= 1e6)) return fmt::format("{:.1e}", *v);
  return fmt::format("{:.{}f}", *v, size < 10 ? 3 : 1);
}

std::optional<double> number_at(const json::object& metrics, const std::string& name) {
  const json::value* v = metrics.if_contains(name);
  if (v == nullptr || v->is_null()) return std::nullopt;
  const auto number = v->to_number<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

// The results of one benchmark; models without it have none.
class Benchmark {
 public:
  Benchmark(const json::object& results, std::string name) : name_(std::move(name)) {
    for (const auto& model : results) {
      const json::value* metrics = model.value().as_object().if_contains(name_);
      if (metrics == nullptr) continue;
      models_.emplace_back(model.key());
      rows_.push_back(&metrics->as_object());
      for (const auto& metric : *rows_.back())
        if (std::find(metrics_.begin(), metrics_.end(), metric.key()) == metrics_.end())
          metrics_.emplace_back(metric.key());
    }
  }

  std::string table() const {
    const Column models{name_, models_};
    std::vector<Column> columns;
    for (const std::string& metric : metrics_) {
      if (is_end_of_interval(metric) || is_of_part(metric)) continue;
      columns.push_back(numbers(metric));
      if (has_interval(metric)) columns.push_back(interval(metric));
    }
    std::string out = columns.empty() ? "" : written(models, columns);
    for (const std::string& metric : metrics_) out += parts(metric);
    return out;
  }

 private:
  bool is_there(const std::string& metric) const {
    return std::find(metrics_.begin(), metrics_.end(), metric) != metrics_.end();
  }
  bool has_interval(const std::string& metric) const {
    return is_there(metric + "_low") && is_there(metric + "_high");
  }
  // Not of a part, "accuracy/x_low": that is what the part is called.
  bool is_end_of_interval(const std::string& metric) const {
    if (metric.find('/') != std::string::npos) return false;
    for (const char* end : {"_low", "_high"})
      if (metric.ends_with(end)) {
        const std::string of = metric.substr(0, metric.rfind('_'));
        if (is_there(of) && has_interval(of)) return true;
      }
    return false;
  }

  // "accuracy/algebra" where there is an "accuracy".
  bool is_of_part(const std::string& metric) const {
    const size_t slash = metric.find('/');
    return slash != std::string::npos && is_there(metric.substr(0, slash));
  }
  // A table of this metric in the parts of the benchmark; empty if it has none.
  std::string parts(const std::string& metric) const {
    if (metric.find('/') != std::string::npos || is_end_of_interval(metric)) return "";
    const std::string prefix = metric + "/";
    Column parts{name_ + ": " + metric, {}};
    std::vector<std::string> names;
    for (const std::string& other : metrics_)
      if (other.starts_with(prefix)) {
        parts.cells.push_back(other.substr(prefix.size()));
        names.push_back(other);
      }
    if (names.empty()) return "";
    std::vector<Column> columns;
    for (size_t i = 0; i < models_.size(); ++i) {
      columns.push_back({models_[i], {}});
      for (const std::string& name : names)
        columns.back().cells.push_back(number_text(value(i, name), false));
    }
    return "\n" + written(parts, columns);
  }

  std::optional<double> value(size_t row, const std::string& metric) const {
    return number_at(*rows_[row], metric);
  }

  Column numbers(const std::string& metric) const {
    bool is_count = true, is_above_one = false;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double v = value(i, metric).value_or(0);
      is_count = is_count && v == std::floor(v) && std::abs(v) < 1e15;
      is_above_one = is_above_one || v > 1;
    }
    Column column{metric, {}};
    for (size_t i = 0; i < rows_.size(); ++i)
      column.cells.push_back(number_text(value(i, metric), is_count && is_above_one));
    return column;
  }
  Column interval(const std::string& metric) const {
    Column column{"95 % interval", {}};
    for (size_t i = 0; i < rows_.size(); ++i)
      column.cells.push_back(number_text(value(i, metric + "_low"), false) + " – " +
                             number_text(value(i, metric + "_high"), false));
    return column;
  }

  std::string name_;
  std::vector<std::string> models_, metrics_;
  std::vector<const json::object*> rows_;
};

// A benchmark in the overview: of one stage, or of several that ask it of different models, such as the rounds of a loop.
struct OverviewColumn {
  std::string stage, benchmark, metric;                // stage: the first
  std::map<std::string, const json::object*> metrics;  // by model
};

// What the overview shows of one stage's results in a benchmark: accuracy, where any model has one, or the first metric.
std::string chief_metric(const StageResults& stage, const std::string& benchmark) {
  std::string first;
  for (const auto& model : stage.results) {
    const json::value* given = model.value().as_object().if_contains(benchmark);
    if (given == nullptr || given->as_object().empty()) continue;
    if (given->as_object().contains("accuracy")) return "accuracy";
    if (first.empty()) first = given->as_object().begin()->key();
  }
  return first;
}

// The column for the results of one stage in a benchmark: one of the same metric that has none of these models, or a new one.
OverviewColumn& column_for(std::vector<OverviewColumn>& columns, const StageResults& stage,
                           const std::string& benchmark) {
  const std::string metric = chief_metric(stage, benchmark);
  const auto has_none_of_them = [&](const OverviewColumn& column) {
    return column.benchmark == benchmark && column.metric == metric &&
           std::none_of(stage.results.begin(), stage.results.end(), [&](const auto& model) {
             return model.value().as_object().contains(benchmark) &&
                    column.metrics.contains(std::string(model.key()));
           });
  };
  const auto found = std::find_if(columns.begin(), columns.end(), has_none_of_them);
  return found != columns.end() ? *found
                                : columns.emplace_back(OverviewColumn{stage.stage, benchmark, metric, {}});
}

std::vector<OverviewColumn> columns_of(const std::vector<StageResults>& all) {
  std::vector<OverviewColumn> columns;
  for (const StageResults& stage : all) {
    std::vector<std::string> benchmarks;
    for (const auto& model : stage.results)
      for (const auto& benchmark : model.value().as_object())
        if (std::find(benchmarks.begin(), benchmarks.end(), benchmark.key()) == benchmarks.end())
          benchmarks.emplace_back(benchmark.key());
    for (const std::string& benchmark : benchmarks) {
      OverviewColumn& column = column_for(columns, stage, benchmark);
      for (const auto& model : stage.results) {
        const json::value* given = model.value().as_object().if_contains(benchmark);
        if (given != nullptr) column.metrics[std::string(model.key())] = &given->as_object();
      }
    }
  }
  return columns;
}

std::string overview_cell(const OverviewColumn& column, const std::string& model) {
  const auto found = column.metrics.find(model);
  if (found == column.metrics.end()) return "-";
  const json::object& m = *found->second;
  const std::optional<double> low = number_at(m, column.metric + "_low"),
                              high = number_at(m, column.metric + "_high");
  std::string text = number_text(number_at(m, column.metric), false);
  if (low && high) text += " (" + number_text(low, false) + " – " + number_text(high, false) + ")";
  return text;
}

std::vector<std::string> models_of(const std::vector<StageResults>& all,
                                   const std::vector<std::string>& stages) {
  std::vector<std::string> models;
  for (const StageResults& stage : all)
    for (const auto& model : stage.results)
      if (std::find(models.begin(), models.end(), model.key()) == models.end())
        models.emplace_back(model.key());
  const auto place = [&](const std::string& model) {
    const auto found = std::find(stages.begin(), stages.end(), model);
    return found == stages.end() ? 0 : found - stages.begin() + 1;
  };
  std::stable_sort(models.begin(), models.end(),
                   [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  return models;
}

}  // namespace

std::string results_table(const json::object& results) {
  std::vector<std::string> names;
  for (const auto& model : results)
    for (const auto& benchmark : model.value().as_object())
      if (std::find(names.begin(), names.end(), benchmark.key()) == names.end())
        names.emplace_back(benchmark.key());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : "\n") + Benchmark(results, name).table();
  return out;
}

size_t overview_columns(const std::vector<StageResults>& results) {
  return columns_of(results).size();
}

std::string overview_table(const std::vector<StageResults>& results, const std::vector<std::string>& stages) {
  const std::vector<OverviewColumn> all = columns_of(results);
  if (all.empty()) return "";
  const Column models{"", models_of(results, stages)};
  std::vector<Column> columns;
  for (const OverviewColumn& column : all) {
    const bool is_one = std::count_if(all.begin(), all.end(), [&](const OverviewColumn& other) {
                          return other.benchmark == column.benchmark;
                        }) == 1;
    columns.push_back({(is_one ? "" : column.stage + ": ") + column.benchmark +
                           (column.metric == "accuracy" ? "" : ", " + column.metric),
                       {}});
    for (const std::string& model : models.cells)
      columns.back().cells.push_back(overview_cell(column, model));
  }
  return written(models, columns);
}

}  // namespace tenon::host
