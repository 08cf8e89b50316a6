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

constexpr size_t kNamedFiles = 1000;

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

// Builds the parts of one stage.
class Describer {
 public:
  Describer(std::map<std::string, PathDigest>& digests, const std::map<std::string, std::string>& stages)
      : digests_(digests), stages_(stages) {}

  json::object describe(const Spec& spec, const std::string& place) {
    const tenon_component& c = *spec.component;
    json::object out{{"kind", c.kind},
                     {"id", c.id},
                     {"version", c.version},
                     {"name", spec.name},
                     {"options", describe_options(c.options, spec.options, place + "/options")}};
    if (spec.plugin != nullptr && spec.plugin->descriptor != nullptr)
      out["plugin"] = std::string(spec.plugin->descriptor->id) + " " + spec.plugin->descriptor->version;
    json::object slots;
    for (const Slot& slot : spec.slots) {
      json::object s;
      if (!slot.stage.empty()) s["stage"] = stages_.at(slot.stage);
      if (!slot.rows.empty()) s["rows"] = slot.rows;
      if (slot.rows.empty() && slot.spec)
        s["component"] = describe(*slot.spec, place + "/slots/" + slot.name + "/component");
      slots[slot.name] = std::move(s);
    }
    if (!slots.empty()) out["slots"] = std::move(slots);
    return out;
  }

  json::object take_paths() { return std::move(paths_); }

 private:
  json::value describe_value(const tenon_option& option, const json::value& value, const std::string& place) {
    if (value.is_array()) {
      json::array out;
      for (const json::value& v : value.get_array())
        out.push_back(describe_value(option, v, place + "/" + std::to_string(out.size())));
      return out;
    }
    if (option.type == TENON_T_PATH && value.is_string())
      return describe_path(std::string(value.get_string()), place);
    if (option.type == TENON_T_OBJECT && value.is_object())
      return describe_options(option.children, value.get_object(), place);
    // Of a reference only its attributes: what it refers to is described with the slots.
    if (option.type == TENON_T_REF)
      return value.is_object() ? json::value(describe_options(option.children, value.get_object(), place))
                               : json::value(json::object());
    return value;
  }

  json::object describe_options(const tenon_option* const* table, const json::object& options,
                                const std::string& place) {
    json::object out;
    for (const auto& pair : options)
      if (const tenon_option* option = option_named(table, pair.key()))
        out[pair.key()] = describe_value(*option, pair.value(), place + "/" + std::string(pair.key()));
    return out;
  }

  json::value describe_path(const std::string& path, const std::string& place) {
    const std::string file = file_of(path);
    auto [entry, is_new] = digests_.try_emplace(file);
    if (is_new) entry->second = digest_of_path(file);
    json::object files;
    if (entry->second.files.size() <= kNamedFiles)
      for (const auto& [name, hash] : entry->second.files) files[name] = hash;
    paths_[place] = json::object{{"path", file}, {"files", std::move(files)}};
    return json::value(entry->second.hash + path.substr(file.size()));
  }

  std::map<std::string, PathDigest>& digests_;
  const std::map<std::string, std::string>& stages_;
  json::object paths_;
};

}  // namespace

PathDigest digest_of_path(const fs::path& path) {
  const bool is_file = fs::is_regular_file(path);
  if (!is_file && !fs::is_directory(path)) return {"absent", {}};
  const std::vector<fs::path> files = is_file ? with_siblings(path) : files_in(path);
  const fs::path folder = is_file ? path.parent_path() : path;
  PathDigest digest;
  std::string all;
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).string(), hash = sha256_of_file(file);
    digest.files.emplace_back(name, hash);
    // The named file may be called whatever it likes.
    all += (file == path ? "" : name) + '\0' + hash + '\n';
  }
  digest.hash = is_file && files.size() == 1 ? digest.files.front().second : sha256_of(all);
  return digest;
}

std::map<std::string, StageContent> content_of_stages(const Plan& plan) {
  std::map<std::string, StageContent> contents;
  std::map<std::string, std::string> hashes;
  std::map<std::string, PathDigest> digests;
  for (const StagePlan& stage : plan.stages) {
    Describer describer(digests, hashes);
    StageContent content;
    content.parts = {{"seed", plan.seed},
                     {"stage", stage.name},
                     {"component", describer.describe(stage.spec, "component")}};
    json::object inputs;
    for (const std::string& input : stage.inputs) inputs[input] = hashes.at(input);
    content.parts["inputs"] = std::move(inputs);
    content.paths = describer.take_paths();
    content.hash = hashes[stage.name] = sha256_of(json_text(content.parts, JsonOrder::kSorted));
    contents[stage.name] = std::move(content);
  }
  return contents;
}

std::map<std::string, std::string> hash_stages(const Plan& plan) {
  std::map<std::string, std::string> hashes;
  for (auto& [stage, content] : content_of_stages(plan)) hashes[stage] = std::move(content.hash);
  return hashes;
}

}  // namespace tenon::host
