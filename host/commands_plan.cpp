// `tenon plan`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_plan.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "host/check.h"
#include "host/command_line.h"
#include "host/commands_run.h"
#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/loader.h"
#include "host/run_error.h"

namespace tenon::host {

namespace json = boost::json;

namespace {

using Status = StageOutlook::Status;

// What a stage's slot is filled with: "base", "traces.kept", "policy".
std::string source(const Slot& slot) {
  if (!slot.rows.empty()) return slot.stage + "." + slot.rows;
  if (!slot.stage.empty()) return slot.stage;
  return slot.spec != nullptr ? slot.spec->name : "";
}

// The sources of what a component is made of that are not its own: data sets, models and rewards below it.
void collect_below(const Spec& spec, std::vector<std::string>& out) {
  for (const Slot& slot : spec.slots) {
    if (slot.kind != "tokenizer" && slot.kind != "optimizer") out.push_back(source(slot));
    if (slot.spec != nullptr && slot.stage.empty()) collect_below(*slot.spec, out);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string described(const Slot& slot) {
  std::vector<std::string> below;
  if (slot.spec != nullptr && slot.stage.empty()) collect_below(*slot.spec, below);
  return source(slot) + (below.empty() ? "" : " (" + joined(below) + ")");
}

// "models/2" is one of "models".
std::string option_of(const Slot& slot) {
  return slot.name.substr(0, slot.name.find('/'));
}

// Each option that names components, with what it names, in the order of the option table.
std::vector<std::pair<std::string, std::vector<std::string>>> inputs_of(const StagePlan& stage) {
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
  for (const Slot& slot : stage.spec.slots) {
    const std::string option = option_of(slot);
    if (out.empty() || out.back().first != option) out.push_back({option, {}});
    out.back().second.push_back(described(slot));
  }
  return out;
}

uint64_t steps_of(const StagePlan& stage) {
  const json::value* steps = stage.spec.options.if_contains("steps");
  return steps != nullptr && steps->is_int64() && steps->get_int64() > 0
             ? static_cast<uint64_t>(steps->get_int64())
             : 0;
}

// Finished, what it made; else what it is to make, where an option says so.
uint64_t shown_steps(const StagePlan& stage, const StageOutlook& outlook) {
  return outlook.status == Status::kKept ? outlook.steps : steps_of(stage);
}

std::string shown_status(const StageOutlook& outlook) {
  if (outlook.status == Status::kGoesOn) return "goes on after step " + std::to_string(outlook.steps);
  return status_name(outlook.status);
}

std::string plural(size_t n, const char* noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string summary(const RunFolder& folder, const std::vector<StageOutlook>& stages) {
  std::string text = folder.shown() + ": " + plural(stages.size(), "stage");
  for (const Status status : {Status::kKept, Status::kGoesOn, Status::kRuns, Status::kLeft}) {
    const auto n = std::count_if(stages.begin(), stages.end(),
                                 [&](const StageOutlook& stage) { return stage.status == status; });
    if (n == 0) continue;
    const std::string word = status == Status::kRuns && n > 1     ? "run"
                             : status == Status::kGoesOn && n > 1 ? "go on"
                                                                  : status_name(status);
    text += ", " + std::to_string(n) + " " + word;
  }
  return text;
}

std::string column(const std::string& text, size_t width) {
  return text + std::string(width - text.size(), ' ');
}

void print_text(const Plan& plan, const RunFolder& folder, const std::vector<StageOutlook>& stages) {
  std::cout << summary(folder, stages) << '\n';
  size_t names = 0, uses = 0;
  for (const StagePlan& stage : plan.stages) {
    names = std::max(names, stage.name.size());
    uses = std::max(uses, std::string(stage.spec.component->id).size());
  }
  const std::string indent(names + 2, ' ');
  for (size_t i = 0; i < stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    const uint64_t steps = shown_steps(stage, stages[i]);
    const std::string number = steps > 0 ? std::to_string(steps) : "";
    std::cout << '\n'
              << column(stage.name, names) << "  " << column(stage.spec.component->id, uses) << "  "
              << std::string(number.size() < 7 ? 7 - number.size() : 0, ' ') << number
              << (steps == 1  ? " step   "
                  : steps > 0 ? " steps  "
                              : "        ")
              << shown_status(stages[i]) << '\n';
    std::string inputs;
    for (const auto& [option, sources] : inputs_of(stage))
      inputs += (inputs.empty() ? "" : "; ") + option + " " + joined(sources);
    if (!inputs.empty()) std::cout << indent << inputs << '\n';
    if (stages[i].status == Status::kRuns)
      for (const Reason& reason : stages[i].why) std::cout << indent << "why: " << reason.text << '\n';
    for (const std::string& how : stages[i].made_otherwise) std::cout << indent << "note: it " << how << '\n';
  }
}

json::object stage_json(const StagePlan& stage, const StageOutlook& outlook) {
  json::object inputs;
  for (const Slot& slot : stage.spec.slots) inputs[slot.name] = source(slot);
  json::array why;
  for (const Reason& r : outlook.why)
    why.push_back(json::object{{"reason", reason_name(r.kind)},
                               {"what", r.what},
                               {"before", r.before},
                               {"now", r.now},
                               {"text", r.text}});
  const uint64_t steps = shown_steps(stage, outlook);
  json::object out{
      {"name", stage.name}, {"use", stage.spec.component->id}, {"status", status_name(outlook.status)}};
  out["steps"] = steps > 0 ? json::value(steps) : json::value(nullptr);
  if (outlook.status == Status::kGoesOn) out["after_step"] = outlook.steps;
  out["reads"] = json::array(stage.inputs.begin(), stage.inputs.end());
  out["inputs"] = std::move(inputs);
  out["why"] = std::move(why);
  out["made_otherwise"] = json::value_from(outlook.made_otherwise);
  out["hash"] = outlook.content.hash;
  out["folder"] = outlook.folder.path().string();
  return out;
}

void print_json(const Plan& plan, const RunFolder& folder, const std::vector<StageOutlook>& stages) {
  json::array all;
  for (size_t i = 0; i < stages.size(); ++i) all.push_back(stage_json(plan.stages[i], stages[i]));
  std::cout << json_text(json::object{{"ok", true},
                                      {"run", folder.path().string()},
                                      {"name", plan.name},
                                      {"stages", std::move(all)}})
            << '\n';
}

const char* colour(Status status) {
  switch (status) {
    case Status::kKept:
      return "palegreen";
    case Status::kGoesOn:
      return "khaki";
    case Status::kRuns:
      return "white";
    case Status::kLeft:
      return "lightgrey";
  }
  return "white";
}

// Of the slots of a component and all below it: stage and option of each that an earlier stage fills.
void collect_edges(const Spec& spec, const std::string& option,
                   std::vector<std::pair<std::string, std::string>>& edges) {
  for (const Slot& slot : spec.slots) {
    const std::string label = option.empty() ? option_of(slot) : option;
    if (!slot.stage.empty())
      edges.emplace_back(slot.stage, label + (slot.rows.empty() ? "" : ": " + slot.rows));
    else if (slot.spec != nullptr)
      collect_edges(*slot.spec, label, edges);
  }
}

void print_graph(const Plan& plan, const std::vector<StageOutlook>& stages) {
  std::cout << "digraph " << json_quote(plan.name) << " {\n"
            << "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n"
            << "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (size_t i = 0; i < stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    const std::string label = stage.name + "\n" + stage.spec.component->id + "\n" + shown_status(stages[i]);
    std::cout << "  " << json_quote(stage.name) << " [label=" << json_quote(label)
              << ", fillcolor=" << colour(stages[i].status) << "];\n";
    std::vector<std::pair<std::string, std::string>> edges;
    collect_edges(stage.spec, "", edges);
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    for (const auto& [from, option] : edges)
      std::cout << "  " << json_quote(from) << " -> " << json_quote(stage.name)
                << " [label=" << json_quote(option) << "];\n";
  }
  std::cout << "}\n";
}

int fail(int code, bool as_json, const Diagnostics& all, const Diagnostics& told_now) {
  if (as_json)
    std::cout << json_text(json::object{{"ok", false}, {"diagnostics", all.to_json()}}) << '\n';
  else
    told_now.print(std::cerr);
  return code;
}

}  // namespace

int plan_command(const PlanArguments& arguments) {
  Diagnostics diagnostics, late;
  int code = kExitUser;
  try {
    if (arguments.json && arguments.graph) throw UserError("--json and --graph: give one of them");
    Loader loader(plugin_search_path(arguments.plugin_path));
    const Plan plan = make_plan(arguments.config, arguments.set, loader, diagnostics);
    if (diagnostics.has_errors()) return fail(kExitUser, arguments.json, diagnostics, diagnostics);
    if (!arguments.json) diagnostics.print(std::cerr);
    check_same_config(plan);
    const RunFolder folder(plan.runs / plan.name);
    const std::vector<StageOutlook> stages = outlook(plan, folder.path(), arguments.choice);
    if (arguments.json)
      print_json(plan, folder, stages);
    else if (arguments.graph)
      print_graph(plan, stages);
    else
      print_text(plan, folder, stages);
    return kExitOk;
  } catch (const UserError& e) {
    late.add(e);
  } catch (const RunError& e) {
    late.add(UserError(e.what()));
    code = kExitFailed;
  }
  for (const Diagnostic& d : late.sorted()) diagnostics.add(d);
  return fail(code, arguments.json, diagnostics, late);
}

}  // namespace tenon::host
