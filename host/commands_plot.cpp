// `tenon plot`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_plot.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <map>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/line_chart.h"
#include "host/run_folder.h"

namespace tenon::host {
namespace {

namespace json = boost::json;

using Points = std::vector<std::pair<double, double>>;  // step, value
struct StageMetrics {
  std::string stage;
  std::map<std::string, Points> metrics;
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, points] : metrics) out.push_back(name);
    return out;
  }
};

// In the order of the run. A last line that is still being written is left out.
std::vector<StageMetrics> read_metrics(const std::filesystem::path& file) {
  std::vector<StageMetrics> out;
  std::ifstream in(file, std::ios::binary);
  uint64_t number = 0;
  for (std::string text; std::getline(in, text) && !in.eof();) {
    ++number;
    boost::system::error_code error;
    const json::value parsed = json::parse(text, error);
    const json::object* line = error ? nullptr : parsed.if_object();
    const json::value* stage = line != nullptr ? line->if_contains("stage") : nullptr;
    const json::value* step = line != nullptr ? line->if_contains("step") : nullptr;
    if (stage == nullptr || !stage->is_string() || step == nullptr || !step->is_number())
      throw UserError(file.string() + ":" + std::to_string(number) + ": it is no line of metrics of a run");
    const std::string name(stage->get_string());
    auto of =
        std::find_if(out.begin(), out.end(), [&](const StageMetrics& one) { return one.stage == name; });
    if (of == out.end()) of = out.insert(out.end(), StageMetrics{name, {}});
    for (const auto& [metric, value] : *line)
      if (metric != "stage" && metric != "step" && value.is_number())
        of->metrics[metric].emplace_back(step->to_number<double>(), value.to_number<double>());
  }
  return out;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string all_of(const std::vector<StageMetrics>& stages) {
  std::string out;
  for (const StageMetrics& one : stages) out += "\n  " + one.stage + ": " + listed(one.names());
  return out;
}

const StageMetrics& choose(const std::vector<StageMetrics>& stages, const PlotArguments& a,
                           const std::vector<std::string>& wanted) {
  std::vector<std::string> names, having;
  const StageMetrics* chosen = nullptr;
  for (const StageMetrics& one : stages) {
    names.push_back(one.stage);
    const bool has_all = std::all_of(wanted.begin(), wanted.end(),
                                     [&](const std::string& name) { return one.metrics.contains(name); });
    if (a.stage.empty() ? !has_all : one.stage != a.stage) continue;
    having.push_back(one.stage);
    chosen = &one;
  }
  if (having.size() > 1)
    throw UserError("several stages have these metrics: " + listed(having) + ". Say which with --stage NAME");
  if (chosen == nullptr && !a.stage.empty())
    throw UserError("there is no stage \"" + a.stage + "\" with metrics in this run." +
                    did_you_mean(a.stage, names) + " It has: " + listed(names));
  if (chosen == nullptr)
    throw UserError("no stage of this run has " + listed(wanted) + ". They have:" + all_of(stages));
  for (const std::string& name : wanted)
    if (!chosen->metrics.contains(name))
      throw UserError("stage " + chosen->stage + " has no number of \"" + name + "\"." +
                      did_you_mean(name, chosen->names()) + " It has: " + listed(chosen->names()));
  return *chosen;
}

std::string numbers(const std::string& stage, const LineChart& chart) {
  json::object metrics;
  for (const LineChart::Series& one : chart.series) {
    json::array points;
    for (const auto& [step, value] : one.points)
      points.push_back(json::array{static_cast<int64_t>(step), value});
    metrics[one.name] = std::move(points);
  }
  return json_text(json::object{{"stage", stage}, {"metrics", std::move(metrics)}}) + "\n";
}

}  // namespace

int plot_command(const PlotArguments& a, std::ostream& out) {
  const std::filesystem::path run = find_run(a.run);
  const std::vector<StageMetrics> stages = read_metrics(run / "metrics.jsonl");
  if (stages.empty()) throw UserError(run.string() + ": no stage has recorded a metric yet");
  std::vector<std::string> wanted = a.metrics;
  wanted.insert(wanted.end(), a.right.begin(), a.right.end());
  if (wanted.empty())
    throw UserError("--metrics NAME,NAME is missing: what to plot. The stages have:" + all_of(stages));
  const StageMetrics& stage = choose(stages, a, wanted);
  LineChart chart{run.filename().string() + ": " + stage.stage, "step", {}};
  for (size_t k = 0; k < wanted.size(); ++k)
    chart.series.push_back({wanted[k], stage.metrics.at(wanted[k]), k >= a.metrics.size()});
  const std::string answer = a.json ? numbers(stage.stage, chart) : svg(chart);
  if (a.file.empty())
    out << answer;
  else
    write_file(a.file, answer);
  return kExitOk;
}

}  // namespace tenon::host
