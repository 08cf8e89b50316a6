// `tenon check`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_check.h"

#include <boost/json/serialize.hpp>
#include <iostream>

#include "host/check.h"
#include "host/command_line.h"
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

void print_json(const Plan& plan, const Diagnostics& diagnostics) {
  boost::json::object answer{{"ok", !diagnostics.has_errors()}, {"diagnostics", diagnostics.to_json()}};
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
  if (arguments.json) {
    print_json(plan, diagnostics);
  } else {
    print_text(arguments.config.string(), plan, diagnostics, arguments.create);
  }
  return diagnostics.has_errors() ? kExitUser : kExitOk;
}

}  // namespace tenon::host
