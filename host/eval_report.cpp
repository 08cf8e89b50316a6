// Tables of `tenon eval`.
// SPDX-License-Identifier: Apache-2.0
#include "host/eval_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <sstream>
#include <vector>

#include "host/eval_config.h"
#include "host/files.h"

namespace tenon::host {

namespace json = boost::json;

namespace {

std::optional<double> number(const json::object& row, const std::string& key) {
  const json::value* v = row.if_contains(key);
  if (v == nullptr || !v->is_number()) return std::nullopt;
  return v->to_number<double>();
}

struct Seconds {
  double sampling = 0, judging = 0;
};

// The lines of a record file that are of the stage, in their order.
std::vector<json::object> lines_of(const std::filesystem::path& file, const std::string& stage) {
  std::vector<json::object> out;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    json::object values = json::parse(line).as_object();
    if (values.at("stage").as_string() == stage) out.push_back(std::move(values));
  }
  return out;
}

// Of each benchmark, in their order: of its steps, of which the last one has its numbers.
std::vector<Seconds> seconds_of(const std::filesystem::path& run, const std::string& stage) {
  const std::vector<json::object> metrics = lines_of(run / "metrics.jsonl", stage),
                                  timings = lines_of(run / "timings.jsonl", stage);
  std::vector<Seconds> out(1);
  for (size_t step = 0; step < std::min(metrics.size(), timings.size()); ++step) {
    out.back().sampling += number(timings[step], "rollout").value_or(0);
    out.back().judging += number(timings[step], "reward").value_or(0);
    if (metrics[step].contains("samples")) out.emplace_back();
  }
  out.pop_back();
  return out;
}

size_t width(const std::string& utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The first column to the left, the others to the right.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - width(row[c]), ' ');
      line += c == 0 ? row[c] + padding : "  " + padding + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string cell(std::optional<double> value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

// part: "/algebra", or none.
std::string interval(const json::object& row, const std::string& metric, const std::string& part = "") {
  return cell(number(row, metric + "_low" + part), 3) + " – " + cell(number(row, metric + "_high" + part), 3);
}

bool has(const json::array& results, const std::string& key) {
  return std::any_of(results.begin(), results.end(),
                     [&](const json::value& r) { return r.as_object().contains(key); });
}

// accuracy, pass@…, cons@…: those of any row that come with an interval.
std::vector<std::string> shares(const json::array& results) {
  std::vector<std::string> out{"accuracy"};
  for (const char* kind : {"pass@", "cons@"})
    for (const json::value& r : results)
      for (const auto& metric : r.as_object()) {
        const std::string key(metric.key());
        if (key.starts_with(kind) && key.find('_') == std::string::npos &&
            std::find(out.begin(), out.end(), key) == out.end())
          out.push_back(key);
      }
  return out;
}

std::string domains(const json::object& row) {
  constexpr std::string_view kPrefix = "accuracy/";
  std::vector<std::vector<std::string>> rows{
      {std::string(row.at("benchmark").as_string()), "accuracy", "95 % interval"}};
  for (const auto& metric : row) {
    const std::string key(metric.key());
    if (!key.starts_with(kPrefix)) continue;
    const std::string part = key.substr(kPrefix.size() - 1);
    rows.push_back({part.substr(1), cell(number(row, key), 3), interval(row, "accuracy", part)});
  }
  return rows.size() == 1 ? "" : "\n" + table(rows);
}

}  // namespace

json::object eval_report(const std::filesystem::path& run, const std::string& stage,
                         const std::string& model) {
  const json::object all = json::parse(read_file(run / "eval.json")).as_object();
  const std::vector<Seconds> seconds = seconds_of(run, stage);
  json::array results;
  for (const auto& [benchmark, metrics] : all.at(stage).as_object().at(model).as_object()) {
    json::object row{{"benchmark", benchmark}};
    for (const auto& [key, value] : metrics.as_object()) row[key] = value;
    if (results.size() < seconds.size()) {
      const Seconds& of = seconds[results.size()];
      row["seconds"] = of.sampling + of.judging;
      const auto length = number(row, "length"), samples = number(row, "samples");
      if (length && samples && of.sampling > 0) row["tokens_per_second"] = *length * *samples / of.sampling;
    }
    results.push_back(std::move(row));
  }
  return {{"run", run.string()}, {"model", model}, {"results", std::move(results)}};
}

std::string eval_table(const json::object& report) {
  const json::array& results = report.at("results").as_array();
  struct Column {
    const char *key, *heading;
    int decimals;
  };
  std::vector<Column> columns{
      {"samples", "samples", 0}, {"length", "tokens", 1}, {"truncated", "truncated", 3}};
  for (const Column& c : {Column{"not_judged", "not judged", 0},
                          Column{"vote_conflicts", "vote conflicts", 0}, Column{"cost", "cost", 4}})
    if (has(results, c.key)) columns.push_back(c);
  columns.push_back({"seconds", "seconds", 1}), columns.push_back({"tokens_per_second", "tokens/s", 1});

  std::vector<std::vector<std::string>> rows{{std::string(report.at("model").as_string())}};
  const std::vector<std::string> measured = shares(results);
  for (const std::string& metric : measured) rows[0].push_back(metric), rows[0].push_back("95 % interval");
  for (const Column& c : columns) rows[0].push_back(c.heading);
  std::string below, notes;
  for (const json::value& r : results) {
    const json::object& row = r.as_object();
    rows.push_back({std::string(row.at("benchmark").as_string())});
    for (const std::string& metric : measured) {
      if (const auto problems = number(row, metric + "_problems"))
        notes +=
            fmt::format("\n{} of {}: over {:.0f} problems, for which there are enough judged completions\n",
                        metric, row.at("benchmark").as_string().c_str(), *problems);
      const bool is_there = number(row, metric).has_value();
      rows.back().push_back(cell(number(row, metric), 3));
      rows.back().push_back(is_there ? interval(row, metric) : "-");
    }
    for (const Column& c : columns) rows.back().push_back(cell(number(row, c.key), c.decimals));
    below += domains(row);
  }
  return table(rows) + notes + below;
}

}  // namespace tenon::host
