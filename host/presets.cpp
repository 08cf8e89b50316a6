// Presets: published variants of a component as named sets of options.
// SPDX-License-Identifier: Apache-2.0
#include "host/presets.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <set>

#include "host/option_values.h"
#include "host/options.h"
#include "host/resolved_yaml.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

bool is_empty(const char* text) {
  return text == nullptr || *text == '\0';
}

bool is_object(const char* text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  return !error && value.is_object();
}

// As the rest of a line of comment.
std::string comment_of(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n# ");
  return text;
}

std::string joined_names(const std::vector<const tenon_preset*>& presets) {
  std::string text;
  for (const tenon_preset* p : presets) text += (text.empty() ? "" : ", ") + std::string(p->name);
  return text;
}

void put_all_at(const Mark& mark, Value& value) {
  value.mark = mark;
  for (Value& item : value.items) put_all_at(mark, item);
  for (Entry& entry : value.entries) {
    entry.key_mark = mark;
    put_all_at(mark, entry.value);
  }
}

// The given options alone, through the same gate as the user's: those that the preset leaves out, required ones too, are the user's to give.
std::string check_values(const tenon_component& component, const std::vector<Entry>& given) {
  const std::vector<std::string> names = option_names(component.options);
  for (const Entry& entry : given)
    if (std::find(names.begin(), names.end(), entry.key) == names.end())
      return "there is no option \"" + entry.key + "\"." + did_you_mean(entry.key, names);
  std::vector<const tenon_option*> table;
  for (const tenon_option* const* o = component.options; o != nullptr && *o != nullptr; ++o)
    if (std::any_of(given.begin(), given.end(), [&](const Entry& e) { return e.key == (*o)->name; }))
      table.push_back(*o);
  table.push_back(nullptr);
  Diagnostics diagnostics;
  OptionContext nowhere;
  check_options(table.data(), given, nowhere, diagnostics);
  if (!diagnostics.has_errors()) return "";
  const Diagnostic first = diagnostics.sorted().front();
  return first.path + ": " + first.message;
}

std::string check_preset(const tenon_component& component, const tenon_preset& preset) {
  if (is_empty(preset.doc)) return "has no doc text";
  if (is_empty(preset.options_json) || !is_object(preset.options_json))
    return "has options that are not a JSON object";
  if (preset.stage_json != nullptr && !is_object(preset.stage_json))
    return "has options of the stage that are not a JSON object";
  const std::string why = check_values(component, preset_entries(preset.options_json, {}));
  return why.empty() ? "" : "does not fit the option table: " + why;
}

}  // namespace

std::vector<const tenon_preset*> presets_of(const tenon_component& component) {
  std::vector<const tenon_preset*> presets;
  if (!TENON_HAS(&component, tenon_component, presets) || component.presets == nullptr) return presets;
  for (const tenon_preset* const* p = component.presets; *p != nullptr; ++p) presets.push_back(*p);
  return presets;
}

std::string check_presets(const tenon_component& component) {
  std::set<std::string> names;
  for (const tenon_preset* preset : presets_of(component)) {
    if (!TENON_HAS(preset, tenon_preset, stage_json) || is_empty(preset->name))
      return "has a preset without a name";
    const std::string name = "preset \"" + std::string(preset->name) + "\" ";
    if (!names.insert(preset->name).second) return "has the " + name + "twice";
    if (std::string why = check_preset(component, *preset); !why.empty()) return name + why;
  }
  return "";
}

std::optional<PresetChoice> take_preset(const tenon_component& component, std::vector<Entry>& written,
                                        const std::string& path, Diagnostics& diagnostics) {
  auto entry = std::find_if(written.begin(), written.end(), [](const Entry& e) { return e.key == "preset"; });
  if (entry == written.end() || find_option(component.options, "preset") != nullptr) return std::nullopt;
  const Value value = entry->value;
  written.erase(entry);
  const std::vector<const tenon_preset*> presets = presets_of(component);
  for (const tenon_preset* preset : presets)
    if (value.is_scalar() && value.text == preset->name) return PresetChoice{preset, value.mark};

  const std::string owner = std::string(component.id) + " " + component.version;
  std::string message = value.is_scalar() ? owner + " has no preset " + describe(value) + "."
                                          : "takes the name of a preset, not " + describe(value) + ".";
  if (presets.empty()) {
    message += value.is_scalar() ? " It has no presets." : " " + owner + " has none.";
  } else {
    std::vector<std::string> names;
    for (const tenon_preset* preset : presets) names.emplace_back(preset->name);
    message += did_you_mean(value.text, names) + " Its presets: " + joined_names(presets) + ".";
  }
  diagnostics.error(value.mark, path + ".preset", message);
  return std::nullopt;
}

std::vector<Entry> preset_entries(const char* json, const Mark& mark) {
  if (json == nullptr) return {};
  Value value = parse_yaml("", json);
  put_all_at(mark, value);
  return std::move(value.entries);
}

json::object preset_object(const char* json) {
  return json == nullptr ? json::object() : json::parse(json).as_object();
}

std::string preset_yaml(const tenon_component& component, const tenon_preset& preset) {
  const std::string kind = component.kind, id = component.id;
  json::object options{{"use", id}};
  for (const auto& [key, value] : preset_object(preset.options_json)) options[key] = value;
  std::string text = "# " + std::string(preset.name) + ": " + comment_of(preset.doc) + "\n# The same as " +
                     kind + ": {use: " + id + ", preset: " + preset.name + "}\n" +
                     to_yaml({{kind, std::move(options)}});
  const json::object stage = preset_object(preset.stage_json);
  if (!stage.empty()) text += "# and, of the stage that has it:\n" + to_yaml(stage);
  return text;
}

}  // namespace tenon::host
