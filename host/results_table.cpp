// The results of an evaluation as a table of text.
// SPDX-License-Identifier: Apache-2.0
#include "host/results_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <optional>
#include <vector>

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
    std::vector<Column> columns;
    for (const std::string& metric : metrics_) {
      if (is_end_of_interval(metric)) continue;
      columns.push_back(numbers(metric));
      if (has_interval(metric)) columns.push_back(interval(metric));
    }
    size_t first = width(name_);
    for (const std::string& model : models_) first = std::max(first, width(model));
    std::string out = name_ + padding(name_, first);
    for (const Column& c : columns) out += "  " + padding(c.heading, column_width(c)) + c.heading;
    out += '\n';
    for (size_t i = 0; i < models_.size(); ++i) {
      out += models_[i] + padding(models_[i], first);
      for (const Column& c : columns) out += "  " + padding(c.cells[i], column_width(c)) + c.cells[i];
      out += '\n';
    }
    return out;
  }

 private:
  bool is_there(const std::string& metric) const {
    return std::find(metrics_.begin(), metrics_.end(), metric) != metrics_.end();
  }
  bool has_interval(const std::string& metric) const {
    return is_there(metric + "_low") && is_there(metric + "_high");
  }
  bool is_end_of_interval(const std::string& metric) const {
    for (const char* end : {"_low", "_high"})
      if (metric.ends_with(end)) {
        const std::string of = metric.substr(0, metric.rfind('_'));
        if (is_there(of) && has_interval(of)) return true;
      }
    return false;
  }

  std::optional<double> value(size_t row, const std::string& metric) const {
    const json::value* v = rows_[row]->if_contains(metric);
    if (v == nullptr || v->is_null()) return std::nullopt;
    return v->to_number<double>();
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
      column.cells.push_back(text(value(i, metric), is_count && is_above_one));
    return column;
  }
  Column interval(const std::string& metric) const {
    Column column{"95 % interval", {}};
    for (size_t i = 0; i < rows_.size(); ++i)
      column.cells.push_back(text(value(i, metric + "_low"), false) + " – " +
                             text(value(i, metric + "_high"), false));
    return column;
  }

  static std::string text(std::optional<double> v, bool is_count) {
    if (!v) return "-";
    if (is_count) return fmt::format("{:.0f}", *v);
    const double size = std::abs(*v);
    if (size != 0 && (size < 1e-3 || size >= 1e6)) return fmt::format("{:.1e}", *v);
    return fmt::format("{:.{}f}", *v, size < 10 ? 3 : 1);
  }

  static size_t column_width(const Column& column) {
    size_t w = width(column.heading);
    for (const std::string& cell : column.cells) w = std::max(w, width(cell));
    return w;
  }

  std::string name_;
  std::vector<std::string> models_, metrics_;
  std::vector<const json::object*> rows_;
};

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

}  // namespace tenon::host
