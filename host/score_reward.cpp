// Which reward `tenon score` asks.
// SPDX-License-Identifier: Apache-2.0
#include "host/score_reward.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "host/check.h"
#include "host/config.h"
#include "host/option_values.h"
#include "host/resolve.h"

namespace tenon::host {

namespace {

namespace fs = std::filesystem;

// A reward that a stage of a configuration has.
struct Entry {
  const StagePlan* stage;
  const Slot* slot;
  std::string name;
  RewardRules rules;
};

std::string list_of(const Slot& slot) {
  return slot.name.substr(0, slot.name.rfind('/'));
}

void add_list(const StagePlan& stage, const std::string& list, std::vector<Entry>& entries) {
  const bool is_list = std::any_of(stage.spec.slots.begin(), stage.spec.slots.end(),
                                   [&](const Slot& s) { return s.name == list + "/0"; });
  const std::vector<RewardRules> rules =
      is_list ? reward_rules(stage.spec, list) : std::vector<RewardRules>{};
  std::vector<std::string> names;
  const size_t first = entries.size();
  for (const Slot& slot : stage.spec.slots) {
    if (slot.kind != "reward" || !slot.spec || list_of(slot) != list) continue;
    const size_t place = names.size();
    names.push_back(slot.spec->name);
    entries.push_back({&stage, &slot, "", place < rules.size() ? rules[place] : RewardRules{}});
  }
  names = distinct_names(std::move(names));
  for (size_t k = 0; k < names.size(); ++k) entries[first + k].name = std::move(names[k]);
}

std::vector<Entry> entries_of(const Plan& plan, const std::string& stage_name) {
  std::vector<Entry> entries;
  for (const StagePlan& stage : plan.stages) {
    if (!stage_name.empty() && stage.name != stage_name) continue;
    std::vector<std::string> lists;
    for (const Slot& slot : stage.spec.slots)
      if (slot.kind == "reward" && std::find(lists.begin(), lists.end(), list_of(slot)) == lists.end())
        lists.push_back(list_of(slot));
    for (const std::string& list : lists) add_list(stage, list, entries);
  }
  return entries;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

[[noreturn]] void there_is_none(const ScoreArguments& a, const Plan& plan,
                                const std::vector<Entry>& entries) {
  std::vector<std::string> stages, names, listed;
  for (const StagePlan& stage : plan.stages) stages.push_back(stage.name);
  const bool is_stage = std::find(stages.begin(), stages.end(), a.stage) != stages.end();
  if (!a.stage.empty() && !is_stage)
    throw UserError("--stage " + a.stage + ": " + a.config.string() + " has no such stage." +
                    did_you_mean(a.stage, stages) + " It has: " + joined(stages) + ".");
  for (const Entry& entry : entries) {
    names.push_back(entry.name);
    listed.push_back(entry.name + " (stage " + entry.stage->name + ")");
  }
  throw UserError((a.stage.empty() ? "no stage of " : "stage " + a.stage + " of ") + a.config.string() +
                  (a.stage.empty() ? " has" : " does not have") + " a reward \"" + a.reward + "\"" +
                  (a.stage.empty() ? ", and `components` has none." : ".") + did_you_mean(a.reward, names) +
                  (listed.empty() ? "" : " There are: " + joined(listed) + "."));
}

// What of the entry holds here, and what does not.
std::string origin_of(const Entry& entry, const std::vector<Entry>& entries) {
  const RewardRules& rules = entry.rules;
  std::string text =
      "reward " + entry.name + " as stage " + entry.stage->name + " has it (" + entry.slot->name + ")";
  if (rules.scope != RewardScope::kWhole)
    text += std::string(", scope ") + (rules.scope == RewardScope::kThink ? "think" : "answer");
  if (!rules.sources.empty())
    text += ", of rows whose " + rules.source_field + " is one of " + joined(rules.sources);
  text += "; its weight";
  if (rules.only_if) text += " and only_if";
  text += rules.only_if ? " do not count here" : " does not count here";
  std::vector<std::string> others;
  for (const Entry& other : entries)
    if (&other != &entry && other.name == entry.name) others.push_back(other.stage->name);
  if (!others.empty()) text += "; --stage chooses that of " + joined(others);
  return text;
}

ChosenReward of_config(const ScoreArguments& a, Loader& loader, Diagnostics& diagnostics) {
  const PlanAndComponent found =
      make_plan_and_component(a.config, a.set, loader, diagnostics, "reward", a.reward);
  if (diagnostics.has_errors()) return {nullptr, a.reward};
  const std::vector<Entry> entries = entries_of(found.plan, a.stage);
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == a.reward; });
  if (entry != entries.end())
    return {entry->slot->spec, entry->name, entry->rules, found.plan.seed, origin_of(*entry, entries)};
  if (found.component == nullptr || !a.stage.empty()) there_is_none(a, found.plan, entries);
  return {found.component,
          a.reward,
          {},
          found.plan.seed,
          "reward " + a.reward + " as `components` has it; no stage has it in a list of rewards"};
}

ChosenReward of_plugin(const ScoreArguments& a, Loader& loader, Diagnostics& diagnostics) {
  if (!a.stage.empty()) throw UserError("--stage goes with --config: it chooses one of its stages");
  Value root = parse_yaml("--reward", "{}");
  int number = 0;
  for (const std::string& assignment : a.set) apply_set(root, assignment, ++number, 0);
  Resolver resolver(loader, diagnostics, fs::current_path());
  const Mark here{"--reward " + a.reward, 1, 1};
  return {resolver.make_spec({"reward", a.reward, here, a.reward, a.reward, here, root.entries}), a.reward};
}

// Sets the option `explain`.
std::shared_ptr<const Spec> explaining(const std::shared_ptr<const Spec>& spec) {
  const tenon_option* option = find_option(spec->component->options, "explain");
  if (option == nullptr || option->type != TENON_T_BOOL)
    throw UserError("--explain: " + component_title(*spec->component) +
                    " has no path to its verdict to tell: it has no option `explain`. What it says of a row "
                    "is its `reason`; leave --explain out");
  auto changed = std::make_shared<Spec>(*spec);
  changed->options["explain"] = true;
  return changed;
}

}  // namespace

ChosenReward choose_reward(const ScoreArguments& a, Loader& loader, Diagnostics& diagnostics) {
  ChosenReward chosen =
      a.config.empty() ? of_plugin(a, loader, diagnostics) : of_config(a, loader, diagnostics);
  if (diagnostics.has_errors()) chosen.spec = nullptr;
  if (chosen.spec && a.explain) chosen.spec = explaining(chosen.spec);
  return chosen;
}

}  // namespace tenon::host
