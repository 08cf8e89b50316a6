// What a stage's result depends on, as one hash: the same hash, the same result.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/plan.h"

namespace tenon::host {

// What an option that names a path leads to.
struct PathDigest {
  std::string hash;  // "absent" if there is neither file nor folder
  std::vector<std::pair<std::string, std::string>>
      files;  // name, seen from the folder that is read, and SHA-256
};

// The file's content; of a .json or .safetensors file also the other .json and .jinja files of its folder, which are read with it (config.json,
// chat_template.jinja, …), and of a *.safetensors.index.json the shards there; of a folder its files and their names. Throws RunError if a file cannot be read.
PathDigest digest_of_path(const std::filesystem::path& path);

// What a stage's result depends on: the same hash, the same result.
struct StageContent {
  std::string hash;  // 64 hexadecimal digits over `parts`
  // The run's seed, the stage's name, its options and those of all components in it, the plugins' ids and versions, the hashes of what paths in options lead
  // to, and the hashes of the stages it reads. Not in it: threads, checkpoint_every, checkpoint_interval, sinks, where files lie.
  boost::json::object parts;
  // The paths in `parts`, by where they stand there ("component/options/file"): {"path", "files": {name: SHA-256}}. Of more than a thousand files none is named.
  boost::json::object paths;
};

// Of each stage of the plan, by name. Each path is read once. Throws RunError if a file cannot be read.
std::map<std::string, StageContent> content_of_stages(const Plan& plan);

// The hashes alone.
std::map<std::string, std::string> hash_stages(const Plan& plan);

}  // namespace tenon::host
