// References and plugins, by name.
// SPDX-License-Identifier: Apache-2.0
#include "host/resolve.h"

#include <algorithm>

#include "host/check_host.h"
#include "host/option_values.h"
#include "host/worker_process.h"

namespace tenon::host {

namespace {

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string slashes(std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return path;
}

// `base` with the entries of `overrides` in place of those of the same key.
std::vector<Entry> overridden(std::vector<Entry> base, const std::vector<Entry>& overrides) {
  for (const Entry& entry : overrides) {
    auto same = std::find_if(base.begin(), base.end(), [&](const Entry& e) { return e.key == entry.key; });
    if (same == base.end()) {
      base.push_back(entry);
    } else {
      *same = entry;
    }
  }
  return base;
}

// Takes `isolation`, which is the host's own, out of a component's options. Whether it says: process.
bool take_isolation(std::vector<Entry>& options, const std::string& path, const tenon_component& component,
                    Diagnostics& diagnostics) {
  auto isolation =
      std::find_if(options.begin(), options.end(), [](const Entry& e) { return e.key == "isolation"; });
  if (isolation == options.end()) return false;
  const Value value = isolation->value;
  options.erase(isolation);
  const bool is_process = value.is_scalar() && value.text == "process";
  if (is_process && std::string_view(component.kind) != "reward") {
    diagnostics.error(value.mark, path + ".isolation",
                      "rewards can run in a process of their own, and " + with_article(component.kind) +
                          " cannot; leave the line out");
  } else if (is_process && TENON_FN(component.life, tenon_life, save)) {
    diagnostics.error(
        value.mark, path + ".isolation",
        component_title(component) +
            " keeps state from step to step, which would be lost with its process; leave the line out");
  } else if (is_process) {
    try {
      WorkerProcess::program();
    } catch (const std::exception& e) {
      diagnostics.error(value.mark, path + ".isolation", e.what());
    }
  } else if (!value.is_scalar() || value.text != "inproc") {
    diagnostics.error(value.mark, path + ".isolation", describe(value) + " is not one of inproc, process");
  }
  return is_process;
}

}  // namespace

std::string component_title(const tenon_component& component) {
  return std::string(component.id) + " " + component.version + " (" + component.kind + ")";
}

bool Resolver::fail(const Mark& mark, const std::string& path, const std::string& message) {
  diagnostics_.error(mark, path, message);
  return false;
}

std::shared_ptr<Spec> Resolver::make_spec(const SpecRequest& request) {
  size_t errors_before = diagnostics_.error_reports();
  const RegisteredComponent* registered = find_component(request);
  if (registered == nullptr) return nullptr;

  auto spec = std::make_shared<Spec>();
  spec->component = registered->component;
  spec->plugin = registered->plugin;
  spec->name = request.name;
  spec->mark = request.mark;

  std::vector<Entry> options = request.options;
  spec->isolated = take_isolation(options, request.path, *registered->component, diagnostics_);
  OptionContext context{request.path, request.mark, component_title(*registered->component), folder_,
                        is_resolved_};
  if (const auto choice = take_preset(*registered->component, options, request.path, diagnostics_)) {
    spec->preset = choice->preset->name;
    context.defaults = preset_entries(choice->preset->options_json, choice->mark);
  }
  if (request.kind == "stage") add_slot_presets(*registered->component, options, context);
  CheckedOptions checked = check_options(registered->component->options, options, context, diagnostics_);
  spec->options = std::move(checked.values);
  spec->marks = std::move(checked.marks);
  spec->preset_marks = std::move(checked.preset_marks);

  for (const Reference& reference : checked.references) {
    if (skipped_ && reference.mark == *skipped_) continue;
    Slot slot;
    slot.name = slashes(reference.path);
    slot.kind = reference.option->ref_kind;
    slot.mark = reference.mark;
    if (reference.is_default) slot.mark = request.mark;
    resolve(reference, request.path + "." + reference.path, slot);
    if (spec->isolated && !slot.stage.empty())
      fail(slot.mark, request.path + "." + reference.path,
           "stage " + slot.stage +
               " made this, and a component with isolation: process has a process that does not have it");
    spec->slots.push_back(std::move(slot));
  }
  if (diagnostics_.error_reports() != errors_before) return nullptr;
  run_life_check(*spec, request.path, threads_, diagnostics_);
  return diagnostics_.error_reports() == errors_before ? spec : nullptr;
}

std::optional<PresetChoice> Resolver::preset_of(const Reference& reference,
                                                const tenon_component** component) {
  std::string id = reference.name;
  std::vector<Entry> options = reference.options;
  if (auto t = templates_.find(reference.name); !reference.in_place && t != templates_.end()) {
    id = t->second.use;
    options = overridden(t->second.options, reference.options);
  }
  const std::string kind = reference.option->ref_kind;
  if (!loader_.exists(kind, id)) return std::nullopt;
  Diagnostics ignored;  // reported where the reference is resolved
  try {
    const RegisteredComponent* registered = loader_.find(kind, id);
    if (registered == nullptr) return std::nullopt;
    *component = registered->component;
    return take_preset(**component, options, "", ignored);
  } catch (const LoadError&) {
    return std::nullopt;
  }
}

void Resolver::add_slot_presets(const tenon_component& stage, const std::vector<Entry>& options,
                                OptionContext& context) {
  const size_t n_own = context.defaults.size();  // of a preset of the stage itself, which goes first
  std::map<std::string, std::string> givers;
  Diagnostics ignored;  // the options are checked again, with the defaults that are being collected
  for (const Reference& reference : check_options(stage.options, options, context, ignored).references) {
    const tenon_component* component = nullptr;
    const std::optional<PresetChoice> choice = preset_of(reference, &component);
    if (!choice) continue;
    const std::string giver = "preset " + std::string(choice->preset->name) + " of " + component->id;
    for (Entry& entry : preset_entries(choice->preset->stage_json, choice->mark)) {
      const std::string path = context.path + "." + entry.key;
      auto has_key = [&](const Entry& e) { return e.key == entry.key; };
      if (find_option(stage.options, entry.key) == nullptr) {
        diagnostics_.warning(choice->mark, path,
                             giver + " sets this option of the stage, and a stage of type " + stage.id +
                                 " has no such option: that part of the preset has no effect here");
        continue;
      }
      const auto same = std::find_if(context.defaults.begin(), context.defaults.end(), has_key);
      if (same == context.defaults.end()) {
        givers[entry.key] = giver;
        context.defaults.push_back(std::move(entry));
      } else if (static_cast<size_t>(same - context.defaults.begin()) >= n_own &&
                 to_json(same->value) != to_json(entry.value) &&
                 std::none_of(options.begin(), options.end(), has_key)) {
        diagnostics_.error(choice->mark, path,
                           givers.at(entry.key) + " and " + giver +
                               " set this option of the stage to different values; state it in the stage");
      }
    }
  }
}

const RegisteredComponent* Resolver::find_component(const SpecRequest& request) {
  try {
    const RegisteredComponent* found = loader_.find(request.kind, request.id);
    if (found == nullptr) report_missing_plugin(request);
    return found;
  } catch (const LoadError& e) {
    diagnostics_.error(request.id_mark, request.path, e.what());
    return nullptr;
  }
}

void Resolver::report_missing_plugin(const SpecRequest& request) {
  std::string message = "there is no " + request.kind + " plugin \"" + request.id + "\".";
  std::vector<std::string> kinds = loader_.kinds_of(request.id), ids = loader_.ids(request.kind);
  std::string hint = did_you_mean(request.id, ids);
  if (!kinds.empty()) {
    message += " \"" + request.id + "\" is " + with_article(kinds.front()) + ", and " +
               with_article(request.kind) + " is wanted here.";
  } else if (!hint.empty()) {
    message += hint;
  } else {
    message += ids.empty() ? " `tenon plugins` shows where plugins are looked for."
                           : " There are: " + join(ids) + ".";
  }
  diagnostics_.error(request.id_mark, request.path, message);
}

bool Resolver::resolve(const Reference& reference, const std::string& path, Slot& slot) {
  if (reference.in_place) {
    slot.spec = make_spec(
        {slot.kind, reference.name, reference.mark, reference.name, path, reference.mark, reference.options});
    return slot.spec != nullptr;
  }
  if (templates_.contains(reference.name)) return resolve_template(reference, path, slot);
  if (const std::optional<StageName> name = find_stage(reference.name, reference.round_before))
    return resolve_stage(reference, *name, path, slot);
  if (const std::string why = why_no_stage(reference.name); !why.empty())
    return fail(slot.mark, path, "\"" + reference.name + "\" " + why);
  return resolve_plugin(reference, path, slot);
}

bool Resolver::resolve_template(const Reference& reference, const std::string& path, Slot& slot) {
  const Template& t = templates_.at(reference.name);
  used_.insert(reference.name);
  if (std::find(chain_.begin(), chain_.end(), reference.name) != chain_.end()) {
    std::string circle;
    for (const std::string& name : chain_) circle += name + " → ";
    return fail(slot.mark, path, "components refer to each other in a circle: " + circle + reference.name);
  }
  if (!loader_.exists(slot.kind, t.use)) {
    std::vector<std::string> kinds = loader_.kinds_of(t.use);
    if (!kinds.empty())
      return fail(slot.mark, path,
                  "\"" + reference.name + "\" is " + with_article(kinds.front()) + " (" + t.use + "), and " +
                      with_article(slot.kind) + " is wanted here");
  }
  if (!check_overrides(reference, path, slot, t)) return false;
  chain_.push_back(reference.name);
  slot.spec = make_spec({slot.kind, t.use, t.use_mark, reference.name, "components." + reference.name, t.mark,
                         overridden(t.options, reference.options)});
  chain_.pop_back();
  if (slot.spec != nullptr && reference.options.empty()) template_specs_[reference.name] = slot.spec;
  return slot.spec != nullptr;
}

// What is written with a reference and is none of the component's options, nor of the reference's own, is reported where it stands.
bool Resolver::check_overrides(const Reference& reference, const std::string& path, const Slot& slot,
                               const Template& t) {
  if (reference.options.empty() || !loader_.exists(slot.kind, t.use)) return true;
  const RegisteredComponent* registered =
      find_component({slot.kind, t.use, t.use_mark, "", path, t.mark, {}});
  if (registered == nullptr) return false;
  std::vector<std::string> names = option_names(reference.option->children);
  for (std::string& name : option_names(registered->component->options)) names.push_back(std::move(name));
  bool is_right = true;
  for (const Entry& entry : reference.options) {
    if (entry.key.starts_with("x-") || entry.key == "isolation" || entry.key == "preset" ||
        std::find(names.begin(), names.end(), entry.key) != names.end())
      continue;
    const std::string hint = did_you_mean(entry.key, names);
    is_right = fail(entry.key_mark, path + "." + entry.key,
                    "unknown option of " + component_title(*registered->component) + "." +
                        (!hint.empty()   ? hint
                         : names.empty() ? " It has no options."
                                         : " Its options: " + join(names) + "."));
  }
  return is_right;
}

namespace {

// The longest part of `name`, up to its end or a dot, for which `is_one` holds; empty: none.
template <class F>
std::string longest_part(const std::string& name, F&& is_one) {
  for (size_t end = name.size(); end != std::string::npos && end > 0; end = name.rfind('.', end - 1))
    if (is_one(name.substr(0, end))) return name.substr(0, end);
  return "";
}

}  // namespace

std::optional<Resolver::StageName> Resolver::find_stage(const std::string& name,
                                                        const std::string& round_before) const {
  const auto rows_behind = [&](const std::string& part) {
    return part.size() < name.size() ? name.substr(part.size() + 1) : "";
  };
  if (!round_before.empty()) {
    const std::string part =
        longest_part(name, [&](const std::string& p) { return stage_names_.contains(round_before + p); });
    if (!part.empty()) return StageName{round_before + part, round_before + part, rows_behind(part)};
  }
  const std::string written = longest_part(
      name, [&](const std::string& part) { return aliases_.contains(part) || stage_names_.contains(part); });
  if (written.empty()) return std::nullopt;
  const auto alias = aliases_.find(written);
  return StageName{alias != aliases_.end() ? alias->second : written, written, rows_behind(written)};
}

std::string Resolver::not_before(const StageName& name) const {
  const auto there = stage_names_.find(name.written);
  return "stage \"" + name.written + "\"" +
         (there != stage_names_.end() ? ", in line " + std::to_string(there->second) + "," : "") +
         " does not come before this one; a stage can read earlier stages only. Put that one first; if it "
         "reads this one, too, leave one of the two references out";
}

std::string Resolver::why_no_stage(const std::string& name) const {
  const std::string part = longest_part(name, [&](const std::string& p) { return no_stages_.contains(p); });
  return part.empty() ? "" : no_stages_.at(part);
}

std::vector<std::string> Resolver::stage_names_here() const {
  std::vector<std::string> names;
  for (const auto& [name, result] : stages_) names.push_back(name);
  for (const auto& [name, stage] : aliases_) names.push_back(name);
  for (const auto& [name, why] : no_stages_) names.push_back(name);  // what is written instead is then said
  return names;
}

bool Resolver::resolve_stage(const Reference& reference, const StageName& name, const std::string& path,
                             Slot& slot) {
  const std::string& stage = name.written;
  const bool has_rows = !name.rows.empty();
  auto known = stages_.find(name.stage);
  if (known == stages_.end()) return fail(slot.mark, path, not_before(name));
  if (!reference.options.empty())
    return fail(
        reference.options.front().key_mark, path + "." + reference.options.front().key,
        "the result of a stage cannot be changed; options belong to the component that the stage uses");
  slot.stage = name.stage;
  if (slot.kind == "dataset") {
    if (!has_rows)
      return fail(
          slot.mark, path,
          "stage \"" + stage + "\" is not a data set; name the rows that it makes: " + stage + ".<rows>");
    slot.rows = name.rows;
    return true;
  }
  if (slot.kind != "model" || has_rows)
    return fail(slot.mark, path,
                "\"" + reference.name + "\" is a stage, and " + with_article(slot.kind) + " is wanted here");
  if (known->second.model == nullptr && !known->second.is_wrong)
    return fail(slot.mark, path, "stage \"" + stage + "\" trains no model");
  slot.spec = known->second.model;
  return true;
}

bool Resolver::resolve_plugin(const Reference& reference, const std::string& path, Slot& slot) {
  if (!loader_.exists(slot.kind, reference.name)) {
    report_unknown_name(reference, slot.mark, path);
    return false;
  }
  slot.spec =
      make_spec({slot.kind, reference.name, slot.mark, reference.name, path, slot.mark, reference.options});
  return slot.spec != nullptr;
}

void Resolver::report_unknown_name(const Reference& reference, const Mark& mark, const std::string& path) {
  const std::string kind = reference.option->ref_kind;
  std::vector<std::string> names = loader_.ids(kind);
  for (const auto& [name, t] : templates_) names.push_back(name);
  if (kind == "model")
    for (std::string& name : stage_names_here()) names.push_back(std::move(name));
  std::string message = "there is no " + kind + " \"" + reference.name + "\"" +
                        (reference.is_default ? ", which is what this option is when it is left out" : "") +
                        ": neither in `components`, nor an earlier stage, nor a plugin.";
  if (const size_t dot = reference.name.find('.'); kind == "dataset" && dot != std::string::npos)
    for (const std::string& stage : stage_names_here()) names.push_back(stage + reference.name.substr(dot));
  std::vector<std::string> kinds = loader_.kinds_of(reference.name);
  if (!kinds.empty()) {
    message += " \"" + reference.name + "\" is " + with_article(kinds.front()) + " plugin.";
  } else {
    message += did_you_mean(reference.name, names);
  }
  diagnostics_.error(mark, path, message);
}

}  // namespace tenon::host
