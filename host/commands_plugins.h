// `tenon plugins`: every plugin file in the path, usable or not, its components and their presets.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "host/loader.h"

namespace tenon::host {

struct PluginsArguments {
  std::vector<std::filesystem::path> plugin_path;
  std::filesystem::path describe_file;  // not empty: describe this one file, in this process
  std::string kind;                     // list components of this kind alone; empty: all
  bool json = false;
};

int plugins_command(const PluginsArguments& arguments);

// A plugin file as another process found it: one that crashes or hangs when it is opened cannot hurt this
// one.
struct PluginReport {
  PluginFile file;
  boost::json::object plugin;  // describe_plugin's, and "sha256"
  std::string problem;         // why it cannot be used; empty: it can
};

std::vector<PluginReport> inspect_plugins(const Loader& loader);

}  // namespace tenon::host
