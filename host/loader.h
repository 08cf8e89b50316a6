// Finds plugin files, refuses those that cannot be used, opens the others for good.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/registry.h"
#include "tenon/abi.h"

namespace tenon::host {

// A plugin that has been opened. Lives as long as the process and is never unloaded.
struct LoadedPlugin {
  std::filesystem::path path;  // absolute; empty: built into the program (tests)
  const tenon_plugin* descriptor = nullptr;
  // Of the file, in hex; computed at the first call, then kept. Empty if there is no file.
  const std::string& sha256() const;

 private:
  mutable std::string sha256_;
};

// A file that is not a usable plugin. The text names the file, what is wrong and the next step.
class LoadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One file in the plugin path: "<kind>.<id>.so".
struct PluginFile {
  std::filesystem::path path;
  std::string kind, id;   // from the name; empty if the file does not follow the naming
  bool shadowed = false;  // an earlier folder has a file of this name, which is the one that is used
};

// Opens a file without asking whether it is wanted: reads its ELF tables, pins it, queries it, checks its
// descriptor. Throws LoadError. A file that is open already is not opened again.
const LoadedPlugin& open_plugin(const std::filesystem::path& file);

// Throws LoadError if a descriptor is of another ABI or not well-formed; `file` is for the text.
void check_descriptor(const tenon_plugin* plugin, const std::string& file);

// Folders and files; earlier ones go first. Those of a configuration go behind the first n_flags.
struct SearchPath {
  std::vector<std::filesystem::path> entries;
  size_t n_flags = 0;
};

class Loader {
 public:
  explicit Loader(SearchPath path = {});

  // A further folder or file, behind those of the flags and before the rest. Throws LoadError if it does not
  // exist, or is a file that is no plugin.
  void add_from_config(const std::filesystem::path& folder_or_file);
  // A plugin that is part of the program: for tests.
  void add_static(const tenon_plugin* plugin);

  // The component `id` of `kind`; its file is opened at the first call. nullptr: no file of that name. Throws
  // LoadError if there is a file and it cannot be used.
  const RegisteredComponent* find(std::string_view kind, std::string_view id);
  // Whether there is one, without opening its file.
  bool exists(std::string_view kind, std::string_view id) const;
  // Ids of a kind that are there, from file names and opened plugins; sorted.
  std::vector<std::string> ids(std::string_view kind) const;
  // Kinds that have a component of this id; in the order of kKinds.
  std::vector<std::string> kinds_of(std::string_view id) const;

  // Every file in the path, shadowed ones too, by folder and name.
  std::vector<PluginFile> files() const;
  const std::vector<std::filesystem::path>& search_path() const { return path_.entries; }
  // Plugins opened by `find`, in that order.
  const std::vector<const LoadedPlugin*>& opened() const { return opened_; }

 private:
  void open_and_register(const std::filesystem::path& file);
  void check_runtime(const LoadedPlugin& plugin) const;

  SearchPath path_;
  size_t n_from_config_ = 0;
  Registry registry_;
  std::vector<const LoadedPlugin*> opened_;
};

// The search path of a command: `from_flags` (--plugin-path), $TENON_PLUGIN_PATH (colons between), <the
// program's folder>/../lib/tenon/plugins. Throws UserError if a folder of `from_flags` does not exist.
SearchPath plugin_search_path(const std::vector<std::filesystem::path>& from_flags);

}  // namespace tenon::host
