// What a stage's result depends on, as one hash.
// SPDX-License-Identifier: Apache-2.0
#include "host/content_hash.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <vector>

#include "host/json_text.h"
#include "host/loader.h"
#include "host/option_values.h"
#include "host/sha256.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const tenon_option* option_named(const tenon_option* const* table, std::string_view name) {
  for (; table != nullptr && *table != nullptr; ++table)
    if ((*table)->name == name) return *table;
  return nullptr;
}

// What is read with a file that an option names: first the file itself; of a .json or .safetensors file also the folder's other .json and .jinja files
// (config.json, tokenizer_config.json, chat_template.jinja, …) and, of an index, its shards.
std::vector<fs::path> with_siblings(const fs::path& file) {
  std::vector<fs::path> files{file};
  if (file.extension() != ".json" && file.extension() != ".safetensors") return files;
  const bool is_index = file.string().ends_with(".safetensors.index.json");
  for (const auto& entry : fs::directory_iterator(file.parent_path())) {
    const fs::path type = entry.path().extension();
    const bool belongs = type == ".json" || type == ".jinja" || (is_index && type == ".safetensors");
    if (belongs && entry.is_regular_file() && entry.path() != file) files.push_back(entry.path());
  }
  std::sort(files.begin() + 1, files.end());
  return files;
}

// Of a folder: all files below it.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& file : fs::recursive_directory_iterator(folder))
    if (file.is_regular_file()) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string hash_of_path(const fs::path& path) {
  const bool is_file = fs::is_regular_file(path);
  if (!is_file && !fs::is_directory(path)) return "absent";
  const std::vector<fs::path> files = is_file ? with_siblings(path) : files_in(path);
  if (is_file && files.size() == 1) return sha256_of_file(path);
  const fs::path folder = is_file ? path.parent_path() : path;
  std::string all;
  for (const fs::path& file : files)
    // The named file may be called whatever it likes.
    all +=
        (file == path ? "" : file.lexically_relative(folder).string()) + '\0' + sha256_of_file(file) + '\n';
  return sha256_of(all);
}

std::string ContentHasher::path_hash(const std::string& path) {
  auto [entry, is_new] = files_.try_emplace(path);
  if (is_new) entry->second = hash_of_path(path);
  return entry->second;
}

json::value ContentHasher::describe_value(const tenon_option& option, const json::value& value) {
  if (value.is_array()) {
    json::array out;
    for (const json::value& v : value.get_array()) out.push_back(describe_value(option, v));
    return out;
  }
  if (option.type == TENON_T_PATH && value.is_string()) {
    const std::string path(value.get_string()), file = file_of(path);
    return json::value(path_hash(file) + path.substr(file.size()));
  }
  if (option.type == TENON_T_OBJECT && value.is_object())
    return describe_options(option.children, value.get_object());
  // Of a reference only its attributes: what it refers to is described with the slots.
  if (option.type == TENON_T_REF)
    return value.is_object() ? json::value(describe_options(option.children, value.get_object()))
                             : json::value(json::object());
  return value;
}

json::object ContentHasher::describe_options(const tenon_option* const* table, const json::object& options) {
  json::object out;
  for (const auto& pair : options)
    if (const tenon_option* option = option_named(table, pair.key()))
      out[pair.key()] = describe_value(*option, pair.value());
  return out;
}

json::object ContentHasher::describe(const Spec& spec, const std::map<std::string, std::string>& stages) {
  const tenon_component& c = *spec.component;
  json::object out{{"kind", c.kind},
                   {"id", c.id},
                   {"version", c.version},
                   {"name", spec.name},
                   {"options", describe_options(c.options, spec.options)}};
  if (spec.plugin != nullptr && spec.plugin->descriptor != nullptr)
    out["plugin"] = std::string(spec.plugin->descriptor->id) + " " + spec.plugin->descriptor->version;
  json::object slots;
  for (const Slot& slot : spec.slots) {
    json::object s;
    if (!slot.stage.empty()) s["stage"] = stages.at(slot.stage);
    if (!slot.rows.empty()) s["rows"] = slot.rows;
    if (slot.rows.empty() && slot.spec) s["component"] = describe(*slot.spec, stages);
    slots[slot.name] = std::move(s);
  }
  if (!slots.empty()) out["slots"] = std::move(slots);
  return out;
}

std::map<std::string, std::string> ContentHasher::hash_stages(const Plan& plan) {
  std::map<std::string, std::string> hashes;
  for (const StagePlan& stage : plan.stages) {
    json::object all{{"seed", plan.seed}, {"stage", stage.name}, {"component", describe(stage.spec, hashes)}};
    json::object inputs;
    for (const std::string& input : stage.inputs) inputs[input] = hashes.at(input);
    all["inputs"] = std::move(inputs);
    hashes[stage.name] = sha256_of(json_text(all, JsonOrder::kSorted));
  }
  return hashes;
}

}  // namespace tenon::host
