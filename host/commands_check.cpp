// `tenon check`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_check.h"

#include <boost/json/serialize.hpp>
#include <iostream>
#include <optional>

#include "host/check.h"
#include "host/command_line.h"
#include "host/data_check.h"
#include "host/pipeline.h"

namespace tenon::host {

namespace {

std::string count(size_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

boost::json::array stages_json(const Plan& plan) {
  boost::json::array stages;
  for (const StagePlan& stage : plan.stages) {
    boost::json::object object{
        {"name", stage.name}, {"use", stage.spec.component->id}, {"version", stage.spec.component->version}};
    object["reads"] = boost::json::array(stage.inputs.begin(), stage.inputs.end());
    stages.push_back(std::move(object));
  }
  return stages;
}

struct Rows {
  std::vector<DataCheck> checks;
  std::vector<UnjudgedRow> unjudged;
};

boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

boost::json::object rows_json(const Rows& rows) {
  boost::json::array checks, unjudged;
  for (const DataCheck& c : rows.checks)
    checks.push_back(boost::json::object{{"stage", c.stage},
                                         {"reward", c.reward},
                                         {"dataset", c.dataset},
                                         {"rows", c.rows},
                                         {"unjudged", c.unjudged},
                                         {"skipped", text_or_null(c.skipped)}});
  for (const UnjudgedRow& r : rows.unjudged)
    unjudged.push_back(boost::json::object{{"stage", r.stage},
                                           {"reward", r.reward},
                                           {"dataset", r.dataset},
                                           {"row", r.row},
                                           {"place", text_or_null(r.place)},
                                           {"status", r.outcome},
                                           {"reason", r.reason}});
  return {{"checks", std::move(checks)}, {"rows", std::move(unjudged)}};
}

void print_rows(const Rows& rows) {
  for (const UnjudgedRow& r : rows.unjudged)
    std::cout << "stage " << r.stage << ": reward " << r.reward << ": row " << r.row << " of " << r.dataset
              << (r.place.empty() ? "" : ", " + r.place) << ": " << r.outcome << ": " << r.reason << '\n';
  for (const DataCheck& c : rows.checks) {
    std::cout << "stage " << c.stage << ": reward " << c.reward << " on " << c.dataset << ": ";
    if (!c.skipped.empty())
      std::cout << "not tried: " << c.skipped << '\n';
    else
      std::cout << count(c.rows, "row") << ", " << c.unjudged << " that it cannot judge\n";
  }
  if (rows.checks.empty()) std::cout << "no stage has both rewards and a data set\n";
}

void print_json(const Plan& plan, const Diagnostics& diagnostics, const std::optional<Rows>& rows) {
  boost::json::object answer{{"ok", !diagnostics.has_errors()}, {"diagnostics", diagnostics.to_json()}};
  if (rows) answer["data"] = rows_json(*rows);
  if (!diagnostics.has_errors()) {
    answer["run"] = plan.name;
    answer["stages"] = stages_json(plan);
  }
  std::cout << boost::json::serialize(answer) << '\n';
}

void print_text(const std::string& file, const Plan& plan, const Diagnostics& diagnostics, bool is_created) {
  diagnostics.print(std::cerr);
  if (diagnostics.has_errors()) {
    std::cerr << file << ": " << count(diagnostics.errors(), "error");
    if (diagnostics.warnings() > 0) std::cerr << ", " << count(diagnostics.warnings(), "warning");
    std::cerr << '\n';
    return;
  }
  std::cout << file << ": ok. Run \"" << plan.name << "\":";
  for (const StagePlan& stage : plan.stages)
    std::cout << (&stage == &plan.stages.front() ? " " : ", then ") << stage.name << " ("
              << stage.spec.component->id << ")";
  std::cout << (is_created ? "\n" : ". Data, weights and tokenizers were not opened; --create does\n");
}

}  // namespace

int check_command(const CheckArguments& arguments) {
  Loader loader(plugin_search_path(arguments.plugin_path));
  Diagnostics diagnostics;
  Plan plan = make_plan(arguments.config, arguments.set, loader, diagnostics);
  if (arguments.create && !diagnostics.has_errors()) try_components(plan, diagnostics);
  std::optional<Rows> rows;
  if (arguments.data && !diagnostics.has_errors()) {
    rows.emplace();
    rows->checks = check_data(plan, diagnostics, rows->unjudged);
  }
  if (arguments.json) {
    print_json(plan, diagnostics, rows);
  } else {
    if (rows) print_rows(*rows);
    print_text(arguments.config.string(), plan, diagnostics, arguments.create || arguments.data);
  }
  return diagnostics.has_errors() ? kExitUser : kExitOk;
}

}  // namespace tenon::host
