// From names to specifications: which plugin, which options, which components below.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/config.h"
#include "host/diagnostics.h"
#include "host/loader.h"
#include "host/options.h"
#include "host/plan.h"
#include "host/presets.h"

namespace tenon::host {

// An entry of `components`.
struct Template {
  std::string use;
  Mark mark;  // of the name
  Mark use_mark;
  std::vector<Entry> options;  // all but `use`
};

// A component to be made into a Spec.
struct SpecRequest {
  std::string kind;
  std::string id;  // of the plugin
  Mark id_mark;
  std::string name;  // of the instance
  std::string path;  // in messages: "components.policy"
  Mark mark;
  std::vector<Entry> options;
};

class Resolver {
 public:
  Resolver(Loader& loader, Diagnostics& diagnostics, std::filesystem::path folder)
      : loader_(loader), diagnostics_(diagnostics), folder_(std::move(folder)) {}

  void set_threads(uint32_t threads) { threads_ = threads; }
  // As OptionContext::is_resolved.
  void set_resolved(bool is_resolved) { is_resolved_ = is_resolved; }
  void add_template(const std::string& name, Template t) { templates_[name] = std::move(t); }
  const std::map<std::string, Template>& templates() const { return templates_; }
  // A stage that later references may name; `model` is the specification of its model, or nullptr if it has
  // none. What refers to a stage that is itself wrong is not reported too.
  void add_stage(const std::string& name, std::shared_ptr<const Spec> model) {
    stages_[name] = {std::move(model), false};
  }
  void add_wrong_stage(const std::string& name) { stages_[name] = {nullptr, true}; }
  // All stages of the pipeline and the lines in which they are named, so that a reference to a later one can be told from a misspelt one.
  void set_stage_names(std::map<std::string, int> names) { stage_names_ = std::move(names); }
  // Other names of stages: in a round of a loop "rl" is "loop.2.rl", behind it "loop.rl" is that of its last round.
  void set_alias(const std::string& name, const std::string& stage) { aliases_[name] = stage; }
  void remove_alias(const std::string& name) { aliases_.erase(name); }
  // Names that are none here, and why: the end of a sentence that begins with the name.
  void set_no_stage(const std::string& name, const std::string& why) { no_stages_[name] = why; }
  void remove_no_stage(const std::string& name) { no_stages_.erase(name); }

  // The stage that a name begins with, an earlier or a later one; nothing: it begins with none. `round_before` as in Value: stages whose names begin so come
  // first.
  struct StageName {
    std::string stage;    // "loop.2.collect"
    std::string written;  // "collect"; of a round before its whole name
    std::string rows;     // what stands behind it and a dot: "kept"
  };
  std::optional<StageName> find_stage(const std::string& name, const std::string& round_before) const;
  // The message for a stage that is there, and not before the one that reads it.
  std::string not_before(const StageName& name) const;
  // Why a name that looks like a stage's is none, as set_no_stage said; empty: nothing was said of it.
  std::string why_no_stage(const std::string& name) const;
  // Names that a stage may be called by here.
  std::vector<std::string> stage_names_here() const;

  // The specification with everything below it; nullptr if something is wrong (it is in the diagnostics).
  std::shared_ptr<Spec> make_spec(const SpecRequest& request);

  // Fills in what a reference refers to; slot.kind and slot.mark are given. False: something is wrong with
  // it.
  bool resolve(const Reference& reference, const std::string& path, Slot& slot);

  // Templates that something refers to, and their specifications without overrides, where there was one.
  const std::set<std::string>& used() const { return used_; }
  const std::map<std::string, std::shared_ptr<const Spec>>& template_specs() const { return template_specs_; }
  // The reference at this place is wrong, which has been reported; it is not followed.
  void skip(const Mark& mark) { skipped_ = mark; }

 private:
  struct StageResult {
    std::shared_ptr<const Spec> model;
    bool is_wrong = false;
  };

  const RegisteredComponent* find_component(const SpecRequest& request);
  // Of the component that a reference leads to; nothing if there is none, or no such component.
  std::optional<PresetChoice> preset_of(const Reference& reference, const tenon_component** component);
  // Adds what the presets of the components in a stage's slots say of the stage to context.defaults.
  void add_slot_presets(const tenon_component& stage, const std::vector<Entry>& options,
                        OptionContext& context);
  bool resolve_template(const Reference& reference, const std::string& path, Slot& slot);
  bool check_overrides(const Reference& reference, const std::string& path, const Slot& slot,
                       const Template& t);
  bool resolve_stage(const Reference& reference, const StageName& name, const std::string& path, Slot& slot);
  bool resolve_plugin(const Reference& reference, const std::string& path, Slot& slot);
  bool fail(const Mark& mark, const std::string& path, const std::string& message);
  void report_missing_plugin(const SpecRequest& request);
  void report_unknown_name(const Reference& reference, const Mark& mark, const std::string& path);

  Loader& loader_;
  Diagnostics& diagnostics_;
  std::filesystem::path folder_;
  uint32_t threads_ = 1;
  bool is_resolved_ = false;
  std::map<std::string, Template> templates_;
  std::map<std::string, StageResult> stages_;
  std::map<std::string, int> stage_names_;
  std::map<std::string, std::string> aliases_, no_stages_;
  std::vector<std::string> chain_;  // templates that are being resolved, to find cycles
  std::set<std::string> used_;
  std::map<std::string, std::shared_ptr<const Spec>> template_specs_;
  std::optional<Mark> skipped_;
};

// "transformer 1.0.0 (model)"
std::string component_title(const tenon_component& component);

}  // namespace tenon::host
