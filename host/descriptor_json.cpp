// Descriptors as JSON and as text.
// SPDX-License-Identifier: Apache-2.0
#include "host/descriptor_json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "host/option_values.h"
#include "host/presets.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

json::string text(const char* s) {
  return s == nullptr ? "" : s;
}

void put_flags(const tenon_option& option, json::object& out) {
  constexpr std::pair<uint32_t, const char*> kFlags[] = {{TENON_O_REQUIRED, "required"},
                                                         {TENON_O_SECRET, "secret"},
                                                         {TENON_O_DEPRECATED, "deprecated"},
                                                         {TENON_O_ADVANCED, "advanced"}};
  for (const auto& [flag, name] : kFlags)
    if (option.flags & flag) out[name] = true;
}

json::object describe_option(const tenon_option& option) {
  json::object out{{"name", text(option.name)}, {"type", type_name(option)}, {"doc", text(option.doc)}};
  if (option.default_json != nullptr) out["default"] = json::parse(option.default_json);
  if (option.min_json != nullptr) out["min"] = json::parse(option.min_json);
  if (option.max_json != nullptr) out["max"] = json::parse(option.max_json);
  if (option.unit != nullptr) out["unit"] = option.unit;
  if (option.ref_kind != nullptr) out["kind"] = option.ref_kind;
  if (option.enum_values != nullptr) {
    json::array values;
    for (const char* const* value = option.enum_values; *value != nullptr; ++value)
      values.emplace_back(*value);
    out["values"] = std::move(values);
  }
  put_flags(option, out);
  if (option.children != nullptr) out["options"] = describe_options(option.children);
  return out;
}

json::array component_flags(uint32_t flags) {
  constexpr std::pair<uint32_t, const char*> kFlags[] = {{TENON_C_REENTRANT, "reentrant"},
                                                         {TENON_C_DETERMINISTIC, "deterministic"},
                                                         {TENON_C_BATCH_INVARIANT, "batch-invariant"},
                                                         {TENON_C_MAY_BLOCK, "may-block"},
                                                         {TENON_C_STATELESS, "stateless"}};
  json::array names;
  for (const auto& [flag, name] : kFlags)
    if (flags & flag) names.emplace_back(name);
  return names;
}

json::array describe_presets(const tenon_component& component) {
  json::array out;
  for (const tenon_preset* preset : presets_of(component))
    out.push_back(json::object{{"name", text(preset->name)},
                               {"doc", text(preset->doc)},
                               {"options", preset_object(preset->options_json)},
                               {"stage", preset_object(preset->stage_json)}});
  return out;
}

}  // namespace

json::object describe_plugin(const tenon_plugin& plugin) {
  json::object out{
      {"id", text(plugin.id)},
      {"version", text(plugin.version)},
      {"vendor", text(plugin.vendor)},
      {"license", text(plugin.license)},
      {"url", text(plugin.url)},
      {"sdk", text(plugin.sdk)},
      {"runtime", plugin.runtime == nullptr ? json::value(nullptr) : json::value(plugin.runtime)},
      {"abi", {{"built", plugin.abi_built}, {"min", plugin.abi_min}, {"draft", plugin.abi_draft}}}};
  json::array components;
  for (const tenon_component* const* c = plugin.components; *c != nullptr; ++c)
    components.push_back(describe_component(**c));
  out["components"] = std::move(components);
  return out;
}

json::object describe_component(const tenon_component& component) {
  return {{"kind", text(component.kind)},
          {"id", text(component.id)},
          {"version", text(component.version)},
          {"summary", text(component.summary)},
          {"doc", text(component.doc)},
          {"flags", component_flags(component.flags)},
          {"options", describe_options(component.options)},
          {"presets", describe_presets(component)}};
}

json::array describe_options(const tenon_option* const* table) {
  json::array out;
  for (; table != nullptr && *table != nullptr; ++table) out.push_back(describe_option(**table));
  return out;
}

std::string allowed(const tenon_option& option) {
  if (option.enum_values != nullptr) {
    std::string names;
    for (const char* const* value = option.enum_values; *value != nullptr; ++value)
      names += (names.empty() ? "" : ", ") + std::string(*value);
    return names;
  }
  if (option.min_json != nullptr && option.max_json != nullptr)
    return plain_json(option.min_json) + " … " + plain_json(option.max_json);
  if (option.min_json != nullptr) return "≥ " + plain_json(option.min_json);
  if (option.max_json != nullptr) return "≤ " + plain_json(option.max_json);
  return "";
}

std::string default_text(const tenon_option& option) {
  return option.default_json == nullptr ? "" : plain_json(option.default_json);
}

}  // namespace tenon::host
