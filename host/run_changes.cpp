// In what a configuration differs from the one that made a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/run_changes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "host/config.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/option_values.h"
#include "host/run_error.h"

namespace tenon::host {

namespace fs = std::filesystem;

namespace {

// The parts of a map by key, or of a list by their `name`, else their number.
std::map<std::string, const Value*> parts(const Value& value) {
  std::map<std::string, const Value*> out;
  for (const Entry& entry : value.entries) out[entry.key] = &entry.value;
  for (size_t i = 0; i < value.items.size(); ++i) {
    const Value* name = value.items[i].find("name");
    out[name != nullptr ? name->text : std::to_string(i)] = &value.items[i];
  }
  return out;
}

std::string shown(const Value& value) {
  if (value.is_scalar()) return value.text.empty() ? "\"\"" : value.text;
  constexpr size_t kShown = 60;
  const std::string text = json_text(to_json(value));
  return text.size() <= kShown ? text : value.is_list() ? "another list" : "another map";
}

bool same_text(const Value* a, const Value* b) {
  return a != nullptr && b != nullptr && a->text == b->text;
}

void compare(const Value& before, const Value& now, const std::string& path, std::vector<std::string>& out) {
  if (before.kind != now.kind || before.is_scalar()) {
    if (before.kind != now.kind || before.text != now.text)
      out.push_back(path + ": " + shown(before) + " → " + shown(now));
    return;
  }
  if (const Value* a = before.find("use"), *b = now.find("use");
      a != nullptr && b != nullptr && !same_text(a, b))
    return compare(*a, *b, path + ".use", out);
  const auto old_parts = parts(before), new_parts = parts(now);
  for (const auto& [key, value] : old_parts) {
    if (key == "checkpoint_every") continue;
    auto found = new_parts.find(key);
    if (found == new_parts.end()) {
      out.push_back(path + "." + key + " is no longer there");
    } else {
      compare(*value, *found->second, path + "." + key, out);
    }
  }
  for (const auto& [key, value] : new_parts)
    if (key != "checkpoint_every" && !old_parts.contains(key)) out.push_back(path + "." + key + " is new");
}

}  // namespace

std::vector<std::string> config_changes(const std::string& before, const std::string& now) {
  const Value a = parse_yaml("config.yaml", before), b = parse_yaml("config.yaml", now);
  const Value none{Value::Kind::kMap, {}, {}, false, {}, {}};
  auto at = [&](const Value& root, const char* key) -> const Value& {
    const Value* value = root.find(key);
    return value != nullptr ? *value : none;
  };
  std::vector<std::string> out;
  const Value *seed = at(a, "run").find("seed"), *new_seed = at(b, "run").find("seed");
  if (seed != nullptr && new_seed != nullptr) compare(*seed, *new_seed, "run.seed", out);
  for (const char* key : {"components", "pipeline"}) compare(at(a, key), at(b, key), key, out);
  return out;
}

std::string changes_text(const std::vector<std::string>& changes) {
  constexpr size_t kNamed = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kNamed, changes.size()); ++i) text += (i == 0 ? "" : "; ") + changes[i];
  if (changes.size() > kNamed) text += "; and " + std::to_string(changes.size() - kNamed) + " more";
  return text;
}

fs::path recorded_config(const fs::path& folder) {
  const fs::path file = folder / "manifest.json";
  if (!fs::exists(file)) return {};
  try {
    return boost::json::parse(read_file(file)).at("config").as_string().c_str();
  } catch (const std::exception& e) {
    throw RunError(file.string() + ": not the manifest of a run: " + e.what());
  }
}

}  // namespace tenon::host
