// Writing a checked configuration as YAML.
// SPDX-License-Identifier: Apache-2.0
#include "host/resolved_yaml.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "host/option_values.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

// A text that YAML reads back as the same text without quotes.
bool is_plain(std::string_view text) {
  if (text.empty() || text == "null" || text == "~") return false;
  auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '/'; };
  if (!letter(text.front())) return false;
  if (!std::all_of(text.begin(), text.end(),
                   [&](char c) { return letter(c) || c == '-' || c == '.' || c == '+'; }))
    return false;
  Value value;
  value.kind = Value::Kind::kScalar;
  value.text = text;
  return to_json(value).is_string();
}

std::string text_of(std::string_view text) {
  return is_plain(text) ? std::string(text) : json::serialize(json::string(text));
}

std::string scalar(const json::value& value) {
  if (const auto* text = value.if_string()) return text_of({text->data(), text->size()});
  if (value.is_double()) {
    char digits[32];
    auto [end, error] = std::to_chars(digits, digits + sizeof digits, value.get_double());
    return {digits, end};
  }
  return json::serialize(value);
}

bool is_scalar(const json::value& value) {
  return !value.is_object() && !value.is_array();
}

std::string flow(const json::value& value) {
  std::string text;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, item] : *object)
      text += (text.empty() ? "" : ", ") + text_of(key) + ": " + flow(item);
    return "{" + text + "}";
  }
  if (const auto* array = value.if_array()) {
    for (const json::value& item : *array) text += (text.empty() ? "" : ", ") + flow(item);
    return "[" + text + "]";
  }
  return scalar(value);
}

void write_object(const json::object& object, size_t indent, std::string& out);

void write_value(const json::value& value, size_t indent, std::string& out) {
  const auto* array = value.if_array();
  if (array != nullptr && std::any_of(array->begin(), array->end(), [](const json::value& v) {
        return v.is_object() && !v.get_object().empty();
      })) {
    for (const json::value& item : *array) {
      out += "\n" + std::string(indent, ' ') + "- ";
      if (item.is_object() && !item.get_object().empty()) {
        std::string inner;
        write_object(item.get_object(), indent + 2, inner);
        out += inner.substr(indent + 3);  // the line break and indentation of its first key
      } else {
        out += flow(item);
      }
    }
  } else if (value.is_object() && !value.get_object().empty()) {
    write_object(value.get_object(), indent, out);
  } else {
    out += " " + flow(value);
  }
}

// Each key on a new line, which begins with the line break.
void write_object(const json::object& object, size_t indent, std::string& out) {
  for (const auto& [key, value] : object) {
    out += "\n" + std::string(indent, ' ') + text_of(key) + ":";
    write_value(value, is_scalar(value) ? 0 : indent + 2, out);
  }
}

json::value* find_slot(json::object& options, std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return const_cast<json::value*>(find_value(options, path));
}

// Takes the option at `path` out of the map that holds it.
void remove(json::object& options, const std::string& path) {
  const size_t dot = path.rfind('.');
  json::value* around = dot == std::string::npos ? nullptr : find_slot(options, path.substr(0, dot));
  if (dot == std::string::npos) {
    options.erase(path);
  } else if (around != nullptr && around->is_object()) {
    around->get_object().erase(path.substr(dot + 1));
  }
}

json::object options_of(const Spec& spec, bool with_idle) {
  json::object options;
  if (!spec.preset.empty()) options["preset"] = spec.preset;
  if (spec.isolated) options["isolation"] = "process";
  for (const auto& [key, value] : spec.options) options[key] = value;
  for (const Slot& slot : spec.slots) {
    json::value* written = find_slot(options, slot.name);
    if (slot.spec == nullptr || written == nullptr || !written->is_object()) continue;
    // Another preset than the template's gives the template's options other defaults. In the file all of them are
    // stated, there and so here; also those without effect, in place of the template's.
    const bool is_preset_of_its_own = !slot.spec->preset.empty() && written->get_object().contains("preset");
    const bool is_in_place = written->get_object().contains("use");
    if (!is_in_place && !is_preset_of_its_own) continue;
    for (auto& [key, value] : options_of(*slot.spec, with_idle || !is_in_place))
      written->get_object()[key] = value;
  }
  if (with_idle) return options;
  for (const std::string& path : spec.idle) remove(options, path);
  return options;
}

}  // namespace

json::object resolved_options(const Spec& spec) {
  return options_of(spec, false);
}

std::string to_yaml(const json::object& object) {
  std::string out;
  write_object(object, 0, out);
  return out.empty() ? "{}\n" : out.substr(1) + "\n";
}

}  // namespace tenon::host
