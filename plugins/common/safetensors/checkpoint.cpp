// Sharded safetensors checkpoints: model.safetensors.index.json.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "json/json_document.h"
#include "safetensors/safetensors.h"

namespace tenon::safetensors {
namespace {

namespace fs = std::filesystem;

std::string resolve(const std::string& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    const fs::path candidate = fs::path(path) / name;
    if (fs::exists(candidate)) return candidate.string();
  }
  throw FormatError(path, "the folder holds neither model.safetensors nor model.safetensors.index.json");
}

}  // namespace

Checkpoint Checkpoint::open(const std::string& path) {
  const std::string file = resolve(path);
  Checkpoint result;
  if (!file.ends_with(".json")) {
    result.files_.push_back(std::make_unique<File>(file));
    for (const View& view : result.files_.back()->tensors()) result.index_[view.name] = &view;
    return result;
  }

  const json::Document document = json::Document::open(file);
  const json::Ref weight_map = document.root().at("weight_map");
  std::map<std::string, File*> shards;
  for (const auto& member : weight_map.object()) {
    const json::Ref entry = weight_map.at(member.key());
    const std::string shard(entry.string());
    if (shard.empty() || shard.find('/') != std::string::npos || shard == "..") {
      entry.fail("\"" + shard + "\" is not the name of a file in the same folder");
    }
    File*& open = shards[shard];
    if (open == nullptr) {
      result.files_.push_back(std::make_unique<File>((fs::path(file).parent_path() / shard).string()));
      open = result.files_.back().get();
    }
    const View* view = open->find(member.key());
    if (view == nullptr) entry.fail("the tensor is not in " + open->path());
    result.index_[view->name] = view;
  }
  for (const auto& shard : result.files_) {
    for (const View& view : shard->tensors()) {
      const auto it = result.index_.find(view.name);
      if (it == result.index_.end() || it->second != &view) {
        throw FormatError(shard->path(),
                          "holds tensor \"" + view.name + "\", which " + file + " does not place there");
      }
    }
  }
  return result;
}

std::vector<const View*> Checkpoint::tensors() const {
  std::vector<const View*> views;
  for (const auto& [name, view] : index_) views.push_back(view);
  return views;
}

const View* Checkpoint::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : it->second;
}

}  // namespace tenon::safetensors
