// A component's specification as text. Floating-point options go as their bits: no digit is lost.
// SPDX-License-Identifier: Apache-2.0
#include "host/spec_json.h"

#include <bit>
#include <boost/json.hpp>
#include <stdexcept>

#include "host/loader.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

constexpr char kBits[] =
    "\x01"
    "f64";  // no option has this name

json::value packed(const json::value& value) {
  if (value.is_double()) return json::object{{kBits, std::bit_cast<int64_t>(value.get_double())}};
  if (const auto* array = value.if_array()) {
    json::array out;
    for (const json::value& item : *array) out.push_back(packed(item));
    return out;
  }
  if (const auto* object = value.if_object()) {
    json::object out;
    for (const auto& [key, item] : *object) out[key] = packed(item);
    return out;
  }
  return value;
}

json::value unpacked(const json::value& value) {
  if (const auto* array = value.if_array()) {
    json::array out;
    for (const json::value& item : *array) out.push_back(unpacked(item));
    return out;
  }
  if (const auto* object = value.if_object()) {
    if (const json::value* bits = object->if_contains(kBits))
      return std::bit_cast<double>(bits->to_number<int64_t>());
    json::object out;
    for (const auto& [key, item] : *object) out[key] = unpacked(item);
    return out;
  }
  return value;
}

json::object object_of(const Spec& spec) {
  if (spec.plugin == nullptr || spec.plugin->path.empty())
    throw std::invalid_argument(
        spec.name + " is part of this program and no plugin file, so that no other process can make it");
  json::array slots;
  for (const Slot& slot : spec.slots) {
    if (slot.spec == nullptr || !slot.stage.empty())
      throw std::invalid_argument("slot " + slot.name + " of " + spec.name + " holds what stage " +
                                  slot.stage + " made, which another process does not have");
    slots.push_back(json::object{{"name", slot.name}, {"kind", slot.kind}, {"spec", object_of(*slot.spec)}});
  }
  return {{"plugin", spec.plugin->path.string()},
          {"kind", spec.component->kind},
          {"id", spec.component->id},
          {"name", spec.name},
          {"options", packed(spec.options)},
          {"slots", std::move(slots)}};
}

const tenon_component& component_of(const LoadedPlugin& plugin, std::string_view kind, std::string_view id) {
  for (const tenon_component* const* c = plugin.descriptor->components; *c != nullptr; ++c)
    if ((*c)->kind == kind && (*c)->id == id) return **c;
  throw std::invalid_argument(plugin.path.string() + " has no " + std::string(kind) + " " + std::string(id));
}

std::shared_ptr<Spec> spec_of(const json::object& object) {
  auto spec = std::make_shared<Spec>();
  spec->plugin = &open_plugin(object.at("plugin").as_string().c_str());
  spec->component = &component_of(*spec->plugin, object.at("kind").as_string(), object.at("id").as_string());
  spec->name = object.at("name").as_string();
  spec->options = unpacked(object.at("options")).as_object();
  for (const json::value& slot : object.at("slots").as_array())
    spec->slots.push_back({std::string(slot.at("name").as_string()),
                           std::string(slot.at("kind").as_string()),
                           spec_of(slot.at("spec").as_object()),
                           "",
                           "",
                           {}});
  return spec;
}

}  // namespace

std::string spec_text(const Spec& spec) {
  return json::serialize(object_of(spec));
}

std::shared_ptr<Spec> spec_of_text(const std::string& text) {
  json::value value;
  try {
    value = json::parse(text);
    return spec_of(value.as_object());
  } catch (const std::out_of_range& e) {
    throw std::invalid_argument(std::string("not the text of a specification: ") + e.what());
  } catch (const boost::system::system_error& e) {
    throw std::invalid_argument(std::string("not the text of a specification: ") + e.what());
  }
}

}  // namespace tenon::host
