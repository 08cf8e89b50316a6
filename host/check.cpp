// From a configuration file to a plan.
// SPDX-License-Identifier: Apache-2.0
#include "host/check.h"

#include <algorithm>
#include <map>
#include <set>

#include "host/available_threads.h"
#include "host/files.h"
#include "host/option_values.h"
#include "host/repeat.h"
#include "host/resolve.h"
#include "host/resolved_yaml.h"
#include "host/reward_rules.h"
#include "tenon/options.hpp"

namespace tenon::host {

namespace {

namespace fs = std::filesystem;

constexpr tenon::Limits at_least_zero() {
  tenon::Limits limits;
  limits.min = "0";
  return limits;
}
constexpr tenon::Limits between(const char* min, const char* max) {
  tenon::Limits limits;
  limits.min = min;
  limits.max = max;
  return limits;
}
constexpr tenon::Limits list() {
  tenon::Limits limits;
  limits.flags = TENON_O_LIST;
  return limits;
}

// The options of `run:`, of the top level and of every stage are checked like those of a plugin.
constexpr tenon::OptionTable kRunOptions{
    tenon::text("name", nullptr,
                "Name of the run and of its folder; without it, the file's name without its ending."),
    tenon::integer("seed", "0", "Seed of every random number of the run.", at_least_zero()),
    tenon::integer(
        "threads", "0",
        "Threads of the run's one pool; 0: as many as the machine, or the container, lets this process use.",
        between("0", "1024")),
    tenon::text("runs", "\"runs\"",
                "Folder that holds run folders; a relative one starts where tenon is started."),
    tenon::number("max_reward_failures", "0.05",
                  "Share of samples without a usable reward, over the last 200 (of a longer step, all of it) "
                  "and at the "
                  "end of a stage over what there was, above which the run stops.",
                  between("0", "1")),
    tenon::option(TENON_T_DURATION, "reward_timeout", "\"60s\"",
                  "Limit of one call of one reward. A reward that asks the host stops there, and its samples "
                  "are timed out; of one that does not stop, the run warns and waits, or with isolation: "
                  "process ends its process. 0: no limit.",
                  between(nullptr, "\"30d\"")),
    tenon::option(TENON_T_DURATION, "checkpoint_interval", "\"5m\"",
                  "Work between checkpoints, besides those that checkpoint_every asks for; taken at a step's "
                  "end. Of each stage the last two are kept, and the one at its end. 0: none by time.",
                  between(nullptr, "\"30d\""))};
constexpr tenon::OptionTable kTopOptions{
    tenon::text("plugins", "[]",
                "Further folders or files with plugins; relative ones start from the configuration's folder.",
                list()),
    tenon::reference("sinks", "sink", "[\"console\"]", "Where metrics go besides the run folder.", list())};
constexpr tenon::OptionTable kStageOptions{
    tenon::text("from", nullptr, "An earlier stage, whose model and weights this stage starts from."),
    tenon::integer(
        "checkpoint_every", "0",
        "Steps between checkpoints; 0: only by time (run.checkpoint_interval) and at the end of the stage.",
        at_least_zero())};

constexpr const char* kTopKeys[] = {"run", "plugins", "sinks", "components", "pipeline"};

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 100 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

// The first entry with this key, taken out of the list.
std::optional<Entry> take(std::vector<Entry>& entries, std::string_view key) {
  auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  if (found == entries.end()) return std::nullopt;
  Entry entry = std::move(*found);
  entries.erase(found);
  return entry;
}

void collect_stages(const Spec& spec, std::set<std::string>& stages) {
  for (const Slot& slot : spec.slots) {
    if (!slot.stage.empty()) stages.insert(slot.stage);
    if (slot.spec != nullptr && slot.stage.empty()) collect_stages(*slot.spec, stages);
  }
}

class PlanBuilder {
 public:
  PlanBuilder(const fs::path& file, Loader& loader, Diagnostics& diagnostics, bool is_resolved)
      : file_(file),
        folder_(fs::absolute(file).parent_path()),
        loader_(loader),
        diagnostics_(diagnostics),
        resolver_(loader, diagnostics, folder_) {
    plan_.config_path = fs::absolute(file).lexically_normal();
    resolver_.set_resolved(is_resolved);
  }

  PlanAndComponent build_with(const Value& root, const std::string& kind, const std::string& name) {
    may_have_unused_ = true;
    PlanAndComponent out{build(root), nullptr, {}};
    for (const auto& [other, t] : resolver_.templates()) out.names.push_back(other);
    const auto found = resolver_.templates().find(name);
    if (found == resolver_.templates().end()) return out;
    const Template& t = found->second;
    // One of another kind is somebody else's.
    if (!loader_.exists(kind, t.use) && !loader_.kinds_of(t.use).empty()) return out;
    out.component =
        resolver_.make_spec({kind, t.use, t.use_mark, name, "components." + name, t.mark, t.options});
    return out;
  }

  Plan build(const Value& root) {
    check_top_keys(root);
    build_run(root);
    read_plugins(root);
    read_components(root);
    read_stage_names(root);
    build_sinks();
    build_stages();
    report_unused();
    if (!diagnostics_.has_errors()) plan_.resolved = resolved(root);
    return std::move(plan_);
  }

 private:
  Mark top() const { return {file_.string(), 1, 1}; }

  void error(const Mark& mark, const std::string& path, const std::string& message) {
    diagnostics_.error(mark, path, message);
  }

  void check_top_keys(const Value& root) {
    const std::vector<std::string> known(std::begin(kTopKeys), std::end(kTopKeys));
    for (const Entry& entry : root.entries) {
      if (entry.key.starts_with("x-") || std::find(known.begin(), known.end(), entry.key) != known.end())
        continue;
      std::string hint = did_you_mean(entry.key, known);
      error(entry.key_mark, entry.key,
            "unknown key." +
                (hint.empty() ? " A configuration has: run, plugins, sinks, components, pipeline." : hint));
    }
  }

  // The entries of a map at the top level; none if it is not given.
  std::vector<Entry> map_at(const Value& root, const char* key) {
    const Value* value = root.find(key);
    if (value == nullptr) return {};
    if (!value->is_map()) error(value->mark, key, "takes a map, not " + describe(*value));
    return value->entries;
  }

  void build_run(const Value& root) {
    const Value* run = root.find("run");
    const Mark mark = run != nullptr ? run->mark : top();
    run_options_ =
        check_options(kRunOptions, map_at(root, "run"), {"run", mark, "run", folder_}, diagnostics_).values;
    auto integer = [&](const char* key) {
      return run_options_.contains(key) ? run_options_[key].as_int64() : 0;
    };
    auto text = [&](const char* key) { return std::string(run_options_[key].as_string()); };

    plan_.seed = static_cast<uint64_t>(integer("seed"));
    plan_.threads = static_cast<uint32_t>(integer("threads"));
    if (plan_.threads == 0) plan_.threads = available_threads();
    resolver_.set_threads(plan_.threads);
    if (run_options_.contains("max_reward_failures"))
      plan_.max_reward_failures = run_options_["max_reward_failures"].as_double();
    if (run_options_.contains("reward_timeout"))
      plan_.reward_timeout = run_options_["reward_timeout"].to_number<double>();
    if (run_options_.contains("checkpoint_interval"))
      plan_.checkpoint_interval = run_options_["checkpoint_interval"].to_number<double>();
    if (run_options_.contains("runs")) read_runs(run, text("runs"));
    if (!run_options_.contains("name")) run_options_["name"] = name_of_file();
    plan_.name = text("name");
    if (!is_name(plan_.name)) {
      const Value* name = run != nullptr ? run->find("name") : nullptr;
      error(name != nullptr ? name->mark : mark, "run.name",
            "\"" + plan_.name + "\" cannot name a folder of runs; use letters, digits, '-' and '_'");
    }
  }

  void read_runs(const Value* run, const std::string& runs) {
    const Value* written = run != nullptr ? run->find("runs") : nullptr;
    plan_.runs = fs::absolute(runs).lexically_normal();
    plan_.runs_mark = written != nullptr ? written->mark : top();
    const fs::path there = nearest_existing(plan_.runs);
    std::error_code unreachable;
    if (!fs::is_directory(there, unreachable))
      error(plan_.runs_mark, "run.runs",
            there.string() + " is not a folder; run folders are made below run.runs, so give a folder");
  }

  std::string name_of_file() const {
    std::string name = file_.stem().string();
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !is_name(std::string(1, c)) && c != '-'; }, '-');
    return name.front() == '-' ? "run" + name : name;
  }

  // `plugins` and `sinks`.
  CheckedOptions check_top_options(const Value& root) {
    std::vector<Entry> entries;
    for (const Entry& entry : root.entries)
      if (entry.key == "plugins" || entry.key == "sinks") entries.push_back(entry);
    return check_options(kTopOptions, entries, {"", top(), "a configuration", folder_}, diagnostics_);
  }

  void read_plugins(const Value& root) {
    top_options_ = check_top_options(root);
    const auto* plugins = top_options_.values.if_contains("plugins");
    if (plugins == nullptr) return;
    const Value* value = root.find("plugins");
    size_t i = 0;
    for (boost::json::value& item : top_options_.values["plugins"].as_array()) {
      const size_t index = i++;
      if (!item.is_string()) continue;  // reported by check_options
      try {
        fs::path path = (folder_ / std::string(item.as_string())).lexically_normal();
        loader_.add_from_config(path);
        item = boost::json::string(path.string());
      } catch (const LoadError& e) {
        error(value->items[index].mark, "plugins." + std::to_string(index), e.what());
      }
    }
  }

  void read_components(const Value& root) {
    for (const Entry& entry : map_at(root, "components")) {
      if (entry.key.starts_with("x-")) continue;
      const std::string path = "components." + entry.key;
      if (!is_name(entry.key)) error(entry.key_mark, path, "a name is made of letters, digits, '-' and '_'");
      if (!entry.value.is_map()) {
        error(entry.value.mark, path,
              "takes a map with `use: <plugin>` and options, not " + describe(entry.value));
        continue;
      }
      std::vector<Entry> options = entry.value.entries;
      std::optional<Entry> use = take(options, "use");
      if (!use || !use->value.is_scalar()) {
        error(use ? use->value.mark : entry.key_mark, path,
              "needs `use: <plugin>`; `tenon plugins` lists what there is");
        continue;
      }
      resolver_.add_template(entry.key,
                             {use->value.text, entry.key_mark, use->value.mark, std::move(options)});
    }
  }

  void read_stage_names(const Value& root) {
    const Value* pipeline = root.find("pipeline");
    if (pipeline == nullptr) {
      error(top(), "pipeline",
            "is missing: the list of stages, for example [{name: base, use: pretrain, …}]");
    } else if (!pipeline->is_list() || pipeline->items.empty()) {
      error(pipeline->mark, "pipeline",
            "takes a list of at least one stage, not " +
                (pipeline->is_list() ? "an empty one" : describe(*pipeline)));
    } else {
      expanded_ = expand_pipeline(*pipeline, diagnostics_);
    }
    std::map<std::string, int> names;
    for (const StageEntry& entry : expanded_.stages)
      if (const Value* name = entry.value.find("name"); name != nullptr && name->is_scalar())
        names.try_emplace(entry.prefix + name->text, name->mark.line);
    for (const Loop& loop : expanded_.loops) {
      check_loop_names(loop);
      for (const std::string& stage : loop.stages) {
        names.try_emplace(loop.name + "." + stage, loop.mark.line);
        resolver_.set_no_stage(stage, outside(loop, stage));
      }
      resolver_.set_no_stage(loop.name, "is a loop of stages: name one of them, for example " + loop.name +
                                            "." + loop.stages.back() + ", which is that of the last round");
    }
    resolver_.set_stage_names(std::move(names));
  }

  static std::string outside(const Loop& loop, const std::string& stage) {
    return "is a stage of the loop " + loop.name + ": " + loop.name + "." + stage +
           " is that of its last round";
  }

  // In a loop, its stages go by their short names: these must not be anybody else's.
  void check_loop_names(const Loop& loop) {
    const std::string path = "pipeline." + loop.name;
    if (!is_name(loop.name))
      error(loop.mark, path + ".name",
            "\"" + loop.name + "\" cannot name a loop; use letters, digits, '-' and '_'");
    std::vector<std::pair<std::string, Mark>> own{{loop.name, loop.mark}};
    for (size_t i = 0; i < loop.stages.size(); ++i) own.emplace_back(loop.stages[i], loop.stage_marks[i]);
    for (size_t i = 0; i < own.size(); ++i) {
      const auto& [name, mark] = own[i];
      const std::string here = i == 0 ? path + ".name" : path + ".stages." + name + ".name";
      const auto clash = [&](const std::string& what, const Mark& other) {
        error(mark, here,
              what + " is called \"" + name + "\" too, in line " + std::to_string(other.line) +
                  "; components, stages, loops and the stages in them share one set of names");
      };
      if (i > 0 && name == loop.name) clash("the loop", loop.mark);
      if (auto component = resolver_.templates().find(name); component != resolver_.templates().end())
        clash("a component", component->second.mark);
      for (const StageEntry& entry : expanded_.stages)
        if (const Value* other = entry.value.find("name");
            entry.loop == kNoLoop && other != nullptr && other->text == name)
          clash("a stage", other->mark);
      for (const Loop& other : expanded_.loops) {
        if (&other == &loop) break;
        if (other.name == name) clash("a loop", other.mark);
        for (size_t k = 0; k < other.stages.size(); ++k)
          if (other.stages[k] == name) clash("a stage of loop " + other.name, other.stage_marks[k]);
      }
    }
  }

  void build_sinks() {
    for (const Reference& reference : top_options_.references) {
      // Without a word in the file, a console that is not built is not a mistake.
      if (reference.is_default && !loader_.exists("sink", reference.name)) continue;
      Slot slot;
      slot.kind = "sink";
      slot.mark = reference.is_default ? top() : reference.mark;
      if (resolver_.resolve(reference, reference.path, slot)) plan_.sinks.push_back(*slot.spec);
    }
  }

  void build_stages() {
    for (size_t begin = 0, end; begin < expanded_.stages.size(); begin = end) {
      const size_t loop = expanded_.stages[begin].loop;
      end = begin + 1;
      while (loop != kNoLoop && end < expanded_.stages.size() && expanded_.stages[end].loop == loop) ++end;
      if (loop == kNoLoop)
        build_stage(expanded_.stages[begin]);
      else
        build_loop(expanded_.loops[loop], begin);
    }
  }

  // From the stage `begin` of the expanded pipeline on.
  void build_loop(const Loop& loop, size_t begin) {
    const size_t errors_before = diagnostics_.error_reports(), n = loop.stages.size();
    for (uint64_t round = 1; round <= loop.rounds; ++round) {
      for (const std::string& stage : loop.stages)
        resolver_.set_no_stage(
            stage, "does not come before this stage in its round: {first: …, then: " + stage +
                       "} is something else in the first round, and that of the round before behind it");
      for (size_t i = 0; i < n; ++i) {
        // A mistake shows in the first two rounds, of which the second is like all that follow.
        if (round > 2 && diagnostics_.error_reports() != errors_before)
          resolver_.add_wrong_stage(loop.prefix(round) + loop.stages[i]);
        else
          build_stage(expanded_.stages[begin + (round - 1) * n + i]);
        resolver_.set_alias(loop.stages[i], loop.prefix(round) + loop.stages[i]);
      }
      for (const std::string& stage : loop.stages) resolver_.remove_alias(stage);
    }
    for (const std::string& stage : loop.stages) {
      resolver_.set_no_stage(stage, outside(loop, stage));
      resolver_.set_alias(loop.name + "." + stage, loop.prefix(loop.rounds) + stage);
    }
  }

  void build_stage(const StageEntry& entry) {
    const Value& value = entry.value;
    std::string path = entry.list + "." + std::to_string(entry.number);
    if (!value.is_map())
      return error(value.mark, path, "takes a map with `name`, `use` and options, not " + describe(value));
    std::vector<Entry> options = value.entries;
    std::optional<Entry> name = take(options, "name"), use = take(options, "use");

    if (!name || !name->value.is_scalar())
      return error(name ? name->value.mark : value.mark, path, "needs a `name`");
    StagePlan stage;
    stage.name = entry.prefix + name->value.text;
    stage.mark = name->value.mark;
    check_stage_name(stage, name->value.text, path);
    path = entry.list + "." + name->value.text;
    if (!use || !use->value.is_scalar()) {
      resolver_.add_wrong_stage(stage.name);
      names_.push_back(stage.name);
      return error(use ? use->value.mark : value.mark, path,
                   "needs `use: <stage>`, for example `use: rl`; `tenon plugins` lists what there is");
    }
    const size_t errors_before = diagnostics_.error_reports();
    take_host_options(options, path, use->value.text, stage);
    const bool is_right = diagnostics_.error_reports() == errors_before;
    auto spec = resolver_.make_spec(
        {"stage", use->value.text, use->value.mark, stage.name, path, stage.mark, std::move(options)});
    if (spec != nullptr) stage.spec = *spec;
    if (spec != nullptr) check_reward_lists(*spec, path);
    add_result(stage.name, is_right ? spec.get() : nullptr);
    names_.push_back(stage.name);
    stage.inputs = inputs_of(stage);
    plan_.stages.push_back(std::move(stage));
  }

  void check_reward_lists(const Spec& stage, const std::string& path) {
    for (const Slot& slot : stage.slots) {
      if (slot.kind != "reward" || !slot.name.ends_with("/0")) continue;
      try {
        reward_rules(stage, slot.name.substr(0, slot.name.size() - 2));
      } catch (const UserError& e) {
        error(e.mark(), path, e.what());
      }
    }
  }

  void check_stage_name(const StagePlan& stage, const std::string& written, const std::string& path) {
    if (!is_name(written))
      error(stage.mark, path + ".name",
            "\"" + written + "\" cannot name a stage; use letters, digits, '-' and '_'");
    auto same = std::find_if(plan_.stages.begin(), plan_.stages.end(),
                             [&](const StagePlan& s) { return s.name == stage.name; });
    if (same != plan_.stages.end())
      error(stage.mark, path + ".name",
            "two stages are called \"" + stage.name + "\"; the first is in line " +
                std::to_string(same->mark.line));
    auto component = resolver_.templates().find(stage.name);
    if (component != resolver_.templates().end())
      error(stage.mark, path + ".name",
            "a component is called \"" + stage.name + "\" too, in line " +
                std::to_string(component->second.mark.line) +
                "; components and stages share one set of names");
  }

  // `from` and `checkpoint_every`. A valid `from` becomes the stage's option `model`.
  void take_host_options(std::vector<Entry>& options, const std::string& path, const std::string& use,
                         StagePlan& stage) {
    std::vector<Entry> own;
    std::optional<Entry> from = take(options, "from"), every = take(options, "checkpoint_every");
    if (from) own.push_back(*from);
    if (every) own.push_back(std::move(*every));
    auto checked =
        check_options(kStageOptions, own, {path, stage.mark, "a stage", folder_}, diagnostics_).values;
    if (checked.contains("checkpoint_every"))
      stage.checkpoint_every = static_cast<uint64_t>(checked["checkpoint_every"].as_int64());
    if (!from || !checked.contains("from")) return;

    stage.from = std::string(checked["from"].as_string());
    if (!takes_model(use))
      return error(from->key_mark, path + ".from",
                   "a stage of type " + use + " has no option `model`, which is what `from` gives");
    auto model =
        std::find_if(options.begin(), options.end(), [](const Entry& e) { return e.key == "model"; });
    if (model != options.end()) {
      error(model->key_mark, path + ".model",
            "`from` already says which model this stage starts from; leave one of the two out");
      options.erase(model);
    }
    const std::optional<Resolver::StageName> found =
        resolver_.find_stage(stage.from, from->value.round_before);
    const std::string why = found ? "" : resolver_.why_no_stage(stage.from);
    if (!why.empty()) {
      error(from->value.mark, path + ".from", "\"" + stage.from + "\" " + why);
      resolver_.skip(from->value.mark);
    } else if (!found || !found->rows.empty() ||
               std::find(names_.begin(), names_.end(), found->stage) == names_.end()) {
      error(from->value.mark, path + ".from",
            found && found->stage == stage.name ? "a stage cannot start from itself; name an earlier stage"
            : found && found->rows.empty()      ? resolver_.not_before(*found)
                                                : "there is no earlier stage \"" + stage.from + "\"." +
                                                 did_you_mean(stage.from, resolver_.stage_names_here()));
      resolver_.skip(from->value.mark);
    } else {
      written_from_[stage.name] = stage.from;
      stage.from = found->stage;
    }
    options.push_back({"model", from->key_mark, from->value});
  }

  // Whether stages of this type have an option `model`; true if there is no such type, which is another
  // mistake.
  bool takes_model(const std::string& use) {
    try {
      const RegisteredComponent* stage = loader_.find("stage", use);
      return stage == nullptr || find_option(stage->component->options, "model") != nullptr;
    } catch (const LoadError&) {
      return true;
    }
  }

  // Lets later stages refer to this one; `spec` is nullptr if it is wrong.
  void add_result(const std::string& name, const Spec* spec) {
    if (spec == nullptr) return resolver_.add_wrong_stage(name);
    for (const Slot& slot : spec->slots) {
      if (slot.name != "model" || slot.kind != "model") continue;
      return slot.spec != nullptr ? resolver_.add_stage(name, slot.spec) : resolver_.add_wrong_stage(name);
    }
    resolver_.add_stage(name, nullptr);
  }

  std::vector<std::string> inputs_of(const StagePlan& stage) const {
    std::set<std::string> read;
    collect_stages(stage.spec, read);
    std::vector<std::string> inputs;
    for (const std::string& name : names_)
      if (read.contains(name)) inputs.push_back(name);
    return inputs;
  }

  // Components that no stage led to: what they use is not there, or nothing refers to them. That nothing does
  // may be the fault of another mistake, such as a misspelt option, which is then reported alone.
  void report_unused() {
    const bool had_errors = diagnostics_.has_errors();
    for (const auto& [name, t] : resolver_.templates()) {
      if (resolver_.used().contains(name)) continue;
      if (loader_.kinds_of(t.use).empty()) {
        error(t.use_mark, "components." + name,
              "there is no plugin \"" + t.use + "\"." + did_you_mean(t.use, all_ids()));
      } else if (!had_errors && !may_have_unused_) {
        error(t.mark, "components." + name,
              "nothing refers to this component; use it in the pipeline, or take it out");
      }
    }
  }

  std::vector<std::string> all_ids() const {
    std::vector<std::string> all;
    for (const char* kind : kKinds)
      for (std::string& id : loader_.ids(kind)) all.push_back(std::move(id));
    return all;
  }

  std::string resolved(const Value& root) {
    boost::json::object out, components;
    out["run"] = run_options_;
    for (const auto& [key, value] : top_options_.values) out[key] = value;
    for (const Entry& entry :
         root.find("components") != nullptr ? root.find("components")->entries : std::vector<Entry>()) {
      if (entry.key.starts_with("x-")) continue;
      const Template& t = resolver_.templates().at(entry.key);
      boost::json::object component{{"use", t.use}};
      auto spec = resolver_.template_specs().find(entry.key);
      boost::json::object options;
      if (spec != resolver_.template_specs().end()) {
        options = resolved_options(*spec->second);
      } else {
        for (const Entry& option : t.options) options[option.key] = to_json(option.value);
      }
      for (const auto& [key, value] : options) component[key] = value;
      components[entry.key] = std::move(component);
    }
    if (!components.empty()) out["components"] = std::move(components);
    boost::json::array pipeline;
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      const size_t loop = expanded_.stages[i].loop;
      if (loop == kNoLoop)
        pipeline.push_back(resolved_stage(plan_.stages[i]));
      else if (i == 0 || expanded_.stages[i - 1].loop != loop)
        pipeline.push_back(resolved_loop(expanded_.loops[loop], i));
    }
    out["pipeline"] = std::move(pipeline);
    return to_yaml(out);
  }

  // Of the stages from `begin` on, those of a loop: as it was written, for the rounds to be written out again.
  boost::json::object resolved_loop(const Loop& loop, size_t begin) {
    boost::json::array stages;
    for (size_t i = 0; i < loop.stages.size(); ++i) {
      boost::json::object first;
      for (uint64_t round = 1; round <= std::min<uint64_t>(loop.rounds, 2); ++round) {
        boost::json::object stage =
            resolved_stage(plan_.stages[begin + (round - 1) * loop.stages.size() + i]);
        stage["name"] = loop.stages[i];
        for (const auto& [keys, value] : loop.rounds_differ[i]) put(stage, keys, to_json(value));
        if (round == 1)
          first = std::move(stage);
        else if (stage != first)
          error(loop.stage_marks[i], "pipeline." + loop.name + ".stages." + loop.stages[i],
                "what {first: …, then: …} names gives this stage other options in its first round than in "
                "those behind "
                "it (a preset does that): state these options in the stage");
      }
      stages.push_back(std::move(first));
    }
    return {{"repeat", loop.rounds}, {"name", loop.name}, {"stages", std::move(stages)}};
  }

  // Sets what is at the place `keys` of `object`; nothing if it has no such place.
  static void put(boost::json::object& object, const std::vector<std::string>& keys,
                  boost::json::value value) {
    boost::json::value* here = nullptr;
    for (size_t i = 0; i < keys.size(); ++i) {
      boost::json::object* map = i == 0 ? &object : here->if_object();
      boost::json::array* list = i == 0 ? nullptr : here->if_array();
      here = map != nullptr    ? map->if_contains(keys[i])
             : list != nullptr ? list->if_contains(std::stoul(keys[i]))
                               : nullptr;
      if (here == nullptr) return;
    }
    *here = std::move(value);
  }

  boost::json::object resolved_stage(const StagePlan& stage) const {
    boost::json::object out{{"name", stage.name}, {"use", stage.spec.component->id}};
    if (!stage.from.empty()) out["from"] = written_from_.at(stage.name);
    if (stage.checkpoint_every > 0) out["checkpoint_every"] = stage.checkpoint_every;
    for (const auto& [key, value] : resolved_options(stage.spec))
      if (key != "model" || stage.from.empty()) out[key] = value;
    return out;
  }

  fs::path file_, folder_;
  Loader& loader_;
  Diagnostics& diagnostics_;
  Resolver resolver_;
  Plan plan_;
  boost::json::object run_options_;
  CheckedOptions top_options_;
  ExpandedPipeline expanded_;
  std::vector<std::string> names_;                   // of the stages so far
  std::map<std::string, std::string> written_from_;  // of stages, by name
  bool may_have_unused_ = false;                     // components
};

}  // namespace

Plan make_plan(const fs::path& file, const std::vector<std::string>& set, Loader& loader,
               Diagnostics& diagnostics, bool is_resolved) {
  try {
    Value root = load_config(file, set, diagnostics);
    return PlanBuilder(file, loader, diagnostics, is_resolved).build(root);
  } catch (const UserError& e) {
    diagnostics.add(e);
    return {};
  }
}

PlanAndComponent make_plan_and_component(const fs::path& file, const std::vector<std::string>& set,
                                         Loader& loader, Diagnostics& diagnostics, const std::string& kind,
                                         const std::string& name) {
  try {
    const Value root = load_config(file, set, diagnostics);
    return PlanBuilder(file, loader, diagnostics, false).build_with(root, kind, name);
  } catch (const UserError& e) {
    diagnostics.add(e);
    return {};
  }
}

const tenon_option* const* run_options() {
  return kRunOptions;
}
const tenon_option* const* top_options() {
  return kTopOptions;
}
const tenon_option* const* stage_options() {
  return kStageOptions;
}

}  // namespace tenon::host
