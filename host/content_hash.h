// What a stage's result depends on, as one hash: the same hash, the same result.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "host/plan.h"

namespace tenon::host {

// The SHA-256 of what an option that names `path` leads to: the file's content; of a .json or .safetensors file also the other .json and .jinja files of
// its folder, which are read with it (config.json, chat_template.jinja, …), and of a *.safetensors.index.json the shards there; of a folder its
// files and their names. "absent" if there is neither. Throws RunError if a file cannot be read.
std::string hash_of_path(const std::filesystem::path& path);

class ContentHasher {
 public:
  // Of each stage of the plan, by name: 64 hexadecimal digits over the run's seed, the stage's name, its options and those of all components in it,
  // the plugins' ids and versions, what the paths in options lead to (hash_of_path), and the hashes of the stages it reads. Not in it: threads,
  // checkpoint_every, checkpoint_interval, sinks, where files lie. Throws RunError if a file cannot be read.
  std::map<std::string, std::string> hash_stages(const Plan& plan);

  // The canonical description of a component that is hashed.
  boost::json::object describe(const Spec& spec, const std::map<std::string, std::string>& stages);

 private:
  boost::json::value describe_value(const tenon_option& option, const boost::json::value& value);
  boost::json::object describe_options(const tenon_option* const* table, const boost::json::object& options);
  std::string path_hash(const std::string& path);  // hash_of_path, once for each

  std::map<std::string, std::string> files_;
};

}  // namespace tenon::host
