// `tenon explain`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_explain.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "host/check.h"
#include "host/checkpoint.h"
#include "host/command_line.h"
#include "host/content_hash.h"
#include "host/diagnostics.h"
#include "host/explanation.h"
#include "host/json_text.h"
#include "host/lone_components.h"
#include "host/run_error.h"
#include "host/run_folder.h"
#include "tenon/tokenizer.hpp"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr char kEnding[] = ".safetensors";
constexpr size_t kMaxListed = 16;

// "3, 4, 7 and 12 more"
std::string listed(const std::vector<uint64_t>& numbers) {
  std::string text;
  for (size_t k = 0; k < std::min(kMaxListed, numbers.size()); ++k)
    text += (k > 0 ? ", " : "") + std::to_string(numbers[k]);
  return numbers.size() <= kMaxListed ? text
                                      : text + " and " + std::to_string(numbers.size() - kMaxListed) +
                                            " more, the last " + std::to_string(numbers.back());
}

// The traced steps of a stage's folder, ascending.
std::vector<uint64_t> traced_steps(const StageFolder& folder) {
  std::vector<uint64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder.artifacts() / "trace", error)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == kEnding && !stem.empty() && stem.size() < 19 &&
        stem.find_first_not_of("0123456789") == std::string::npos)
      steps.push_back(std::stoull(stem));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path trace_file(const StageFolder& folder, uint64_t step) {
  std::string digits = std::to_string(step);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return folder.artifacts() / "trace" / (digits + kEnding);
}

// The folders of a stage that have traces: one, unless the stage also ran with another configuration.
std::vector<StageFolder> traced_folders(const fs::path& run, const std::string& stage) {
  constexpr size_t kDigits = 12;
  std::vector<StageFolder> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run / "stages", error)) {
    const std::string name = entry.path().filename().string();
    if (name.size() != stage.size() + 1 + kDigits || !name.starts_with(stage + "-")) continue;
    StageFolder folder(run, stage, name.substr(stage.size() + 1));
    if (!traced_steps(folder).empty()) out.push_back(std::move(folder));
  }
  return out;
}

const Slot* find_slot(const Spec& spec, const std::string& name) {
  for (const Slot& slot : spec.slots)
    if (slot.name == name) return &slot;
  return nullptr;
}

struct Traced {
  const StagePlan* stage;
  StageFolder folder;
};

// A stage's folder, of several that of the plan.
StageFolder folder_of(const Plan& plan, const fs::path& run, const StagePlan& stage) {
  const std::vector<StageFolder> folders = traced_folders(run, stage.name);
  if (folders.size() == 1) return folders.front();
  const StageFolder now(run, stage.name, hash_stages(plan).at(stage.name));
  for (const StageFolder& folder : folders)
    if (folder.path() == now.path()) return folder;
  throw UserError("stage " + stage.name + " has traces of " + std::to_string(folders.size()) +
                  " earlier configurations, and none of " + (run / "config.yaml").string() +
                  ": remove from " + (run / "stages").string() + " all but the one to explain");
}

std::string interval_of(const StagePlan& stage) {
  const json::value* interval = stage.spec.options.if_contains("trace_interval");
  return interval != nullptr && interval->is_int64()
             ? "; its option trace_interval is " + std::to_string(interval->get_int64())
             : "";
}

Traced find_stage(const Plan& plan, const fs::path& run, const std::string& wanted) {
  std::vector<const StagePlan*> traced;
  std::string names;
  std::vector<std::string> all;
  for (const StagePlan& stage : plan.stages) {
    all.push_back(stage.name);
    if ((!wanted.empty() && stage.name != wanted) || find_slot(stage.spec, "algorithm") == nullptr) continue;
    if (traced_folders(run, stage.name).empty()) continue;
    traced.push_back(&stage);
    names += (names.empty() ? "" : ", ") + stage.name;
  }
  if (traced.size() == 1) return {traced[0], folder_of(plan, run, *traced[0])};
  if (traced.size() > 1)
    throw UserError("several stages have traces: " + names + ". Say which with --stage NAME");
  const auto named = std::find(all.begin(), all.end(), wanted);
  if (wanted.empty())
    throw UserError(
        "no stage of this run has a trace: a stage of reinforcement learning writes one of every "
        "trace_interval-th step, if that option is not 0");
  if (named == all.end())
    throw UserError("there is no stage \"" + wanted + "\" in this run." + did_you_mean(wanted, all));
  throw UserError("stage " + wanted + " has no trace" +
                  interval_of(plan.stages[static_cast<size_t>(named - all.begin())]));
}

Trace read_trace(const Traced& at, std::optional<uint64_t> step) {
  const std::vector<uint64_t> steps = traced_steps(at.folder);
  const std::string there =
      "stage " + at.stage->name + " has traces of the steps " + listed(steps) + interval_of(*at.stage);
  if (!step) throw UserError("say which step, with --step N: " + there);
  if (!std::binary_search(steps.begin(), steps.end(), *step))
    throw UserError("step " + std::to_string(*step) + " has no trace: " + there);
  return Trace::read(trace_file(at.folder, *step));
}

uint64_t find_sample(const Trace& trace, std::optional<uint64_t> sample) {
  std::vector<uint64_t> ids = trace.rollout.sample_id;
  std::sort(ids.begin(), ids.end());
  const std::string there = "step " + std::to_string(trace.step) + " has the samples " + listed(ids);
  if (!sample) throw UserError("say which sample, with --sample K: " + there);
  const std::optional<uint64_t> i = trace.find(*sample);
  if (!i) throw UserError("there is no sample " + std::to_string(*sample) + ": " + there);
  return *i;
}

// From the tokenizer of the stage's model, if it can be made without the model.
TokenText token_text(LoneComponents& components, const StagePlan& stage) {
  const Slot* model = find_slot(stage.spec, "model");
  const Slot* slot = model != nullptr && model->spec ? find_slot(*model->spec, "tokenizer") : nullptr;
  try {
    if (slot == nullptr || slot->spec == nullptr) throw Error(TENON_E_UNSUPPORTED, "no tokenizer");
    Instance& tokenizer = components.create(*slot->spec, "model.tokenizer");
    return [&tokenizer](int32_t id) -> std::optional<std::string> {
      try {
        return Tokenizer(tokenizer.ref()).decode({&id, 1}, TENON_DECODE_SPECIAL);
      } catch (const Error&) {
        return std::nullopt;  // an id beyond its vocabulary, which a model may have
      }
    };
  } catch (const std::exception&) {  // ids are shown alone
    return [](int32_t) { return std::optional<std::string>(); };
  }
}

// Whether the plugins are those that the stage ran with, as sentences.
std::vector<std::string> others_than_then(const Traced& at) {
  const json::object now = made_with(at.stage->spec);
  if (const std::optional<json::object> done = at.folder.done())
    return made_otherwise(done->if_contains("made_with"), now);
  if (const std::optional<Checkpoint> latest = Checkpoint::latest(at.folder.checkpoints()))
    return made_otherwise(latest->manifest().if_contains("made_with"), now);
  return {};
}

std::string checked_text(const Trace& trace) {
  const auto counted = [](uint64_t n, const char* what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
  };
  return "advantages of " + counted(trace.rollout.size(), "completion") + " and gradients of " +
         counted(trace.updates.size(), "update");
}

}  // namespace

int explain_command(const ExplainArguments& a) {
  const fs::path run = find_run(a.run);
  Diagnostics diagnostics;
  Loader loader(plugin_search_path(a.plugin_path));
  const Plan plan = make_plan(run / "config.yaml", {}, loader, diagnostics, true);
  if (diagnostics.has_errors()) {
    diagnostics.print(std::cerr);
    return kExitUser;
  }
  const Traced at = find_stage(plan, run, a.stage);
  const Trace trace = read_trace(at, a.step);
  const uint64_t i = find_sample(trace, a.sample);
  if (a.token && *a.token >= trace.rollout.completion_len(i))
    throw UserError("there is no token " + std::to_string(*a.token) + ": the completion of sample " +
                    std::to_string(*a.sample) + " has " + std::to_string(trace.rollout.completion_len(i)) +
                    " tokens, the first being 0");

  LoneComponents components(plan.seed, at.stage->name);
  const Slot& slot = *find_slot(at.stage->spec, "algorithm");
  Instance& algorithm = components.create(*slot.spec, slot.name);
  std::optional<std::string> difference;
  json::object answer;
  try {
    difference = first_difference(trace, Algorithm(algorithm.ref()));
    answer = explain_sample(trace, i, a.token, algorithm, token_text(components, *at.stage));
  } catch (const Error& e) {
    throw RunError(algorithm.title() + ": " + e.what());
  }
  if (difference) difference = "computed again, the step is not what the optimizer saw: " + *difference;
  if (!difference) difference = chain_difference(answer);
  const std::vector<std::string> others = others_than_then(at);
  if (a.json) {
    json::object all{{"run", run.string()},
                     {"stage", at.stage->name},
                     {"step", trace.step},
                     {"algorithm", algorithm.spec().component->id},
                     {"version", algorithm.spec().component->version},
                     {"equal", !difference}};
    if (difference) all["difference"] = *difference;
    all["made_otherwise"] = json::value_from(others);
    for (const auto& [key, value] : answer) all[key] = value;
    std::cout << json_text(all) << '\n';
    return difference ? kExitFailed : kExitOk;
  }
  std::cout << at.stage->name << ", step " << trace.step << ", " << algorithm.title() << '\n'
            << explanation_text(answer);
  if (!difference) {
    std::cout << "Equal to what the optimizer saw, bit for bit: " << checked_text(trace) << ".\n";
    return kExitOk;
  }
  std::cout.flush();
  std::cerr << "error: " << *difference << '\n';
  for (const std::string& other : others) std::cerr << "  stage " << at.stage->name << " " << other << '\n';
  return kExitFailed;
}

}  // namespace tenon::host
