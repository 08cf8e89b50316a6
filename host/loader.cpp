// Plugin files: finding them, opening them, refusing them.
// SPDX-License-Identifier: Apache-2.0
#include "host/loader.h"

#include <dlfcn.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <set>
#include <sstream>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/elf_check.h"
#include "host/last_words.h"
#include "host/sha256.h"

namespace tenon::host {

namespace {

namespace fs = std::filesystem;

struct OpenFile {
  boost::dll::shared_library library;
  LoadedPlugin plugin;
};

// Every plugin file that this process has opened, by its real path. Never destroyed: code of a plugin may run
// until the process ends.
std::map<fs::path, OpenFile>& open_files() {
  static auto* files = new std::map<fs::path, OpenFile>();
  return *files;
}

// dlclose would leave dangling pointers behind, and Boost.DLL closes what it opened and cannot be told not
// to; a file that was opened once with RTLD_NODELETE stays mapped.
void pin(const fs::path& file) {
  if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) == nullptr)
    throw LoadError("plugin " + file.string() + " cannot be opened: " + dlerror());
}

const tenon_plugin* query(const boost::dll::shared_library& library) {
  tenon_host_info info{};
  info.struct_size = sizeof info;
  info.abi_level = TENON_ABI_LEVEL;
  info.abi_draft = TENON_ABI_DRAFT;
  info.name = "tenon";
  info.version = version();
  return library.get<std::remove_pointer_t<tenon_plugin_query_fn>>(TENON_ENTRY)(&info);
}

// "reward.answer.so" to ("reward", "answer"); empty if it is not named so.
std::pair<std::string, std::string> split_name(const fs::path& file) {
  std::string name = file.filename().string();
  size_t dot = name.find('.');
  if (!name.ends_with(".so") || dot == std::string::npos || dot + 4 > name.size() - 1) return {};
  std::string kind = name.substr(0, dot);
  if (!is_kind(kind)) return {};
  return {kind, name.substr(dot + 1, name.size() - dot - 4)};
}

std::vector<fs::path> plugin_files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".so" && !entry.is_directory(error)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

const std::string& LoadedPlugin::sha256() const {
  if (sha256_.empty() && !path.empty()) sha256_ = sha256_of_file(path);
  return sha256_;
}

const LoadedPlugin& open_plugin(const fs::path& file) {
  std::error_code error;
  fs::path real = fs::canonical(file, error);
  if (error) throw LoadError("plugin " + file.string() + " cannot be opened: " + error.message());
  auto known = open_files().find(real);
  if (known != open_files().end()) return known->second.plugin;

  std::string why = why_not_a_plugin(real);
  if (!why.empty()) throw LoadError("plugin " + file.string() + " " + why);
  const Doing doing("opening plugin " + real.string());
  pin(real);
  OpenFile opened;
  try {
    opened.library.load(real, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    opened.plugin.descriptor = query(opened.library);
  } catch (const boost::dll::fs::system_error& e) {
    throw LoadError("plugin " + file.string() + " cannot be opened: " + e.what());
  }
  check_descriptor(opened.plugin.descriptor, file.string());
  opened.plugin.path = real;
  return open_files().emplace(real, std::move(opened)).first->second.plugin;
}

Loader::Loader(SearchPath path) : path_(std::move(path)) {}

void Loader::add_from_config(const fs::path& folder_or_file) {
  if (!fs::exists(folder_or_file))
    throw LoadError("no such folder or plugin file: " + folder_or_file.string());
  if (fs::is_regular_file(folder_or_file))
    if (const std::string why = why_not_a_plugin(folder_or_file); !why.empty())
      throw LoadError("plugin " + folder_or_file.string() + " " + why);
  path_.entries.insert(path_.entries.begin() + static_cast<std::ptrdiff_t>(path_.n_flags + n_from_config_++),
                       folder_or_file);
}

void Loader::add_static(const tenon_plugin* plugin) {
  check_descriptor(plugin, plugin != nullptr && plugin->id != nullptr ? plugin->id : "built-in");
  auto* loaded = new LoadedPlugin;  // as long as the process, like the others
  loaded->descriptor = plugin;
  registry_.add(*loaded);
}

const RegisteredComponent* Loader::find(std::string_view kind, std::string_view id) {
  if (const RegisteredComponent* known = registry_.find(kind, id)) return known;
  if (id.find('/') != std::string_view::npos) return nullptr;
  const std::string name = std::string(kind) + "." + std::string(id) + ".so";
  for (const fs::path& entry : path_.entries) {
    std::error_code error;
    if (!fs::exists(entry, error)) continue;
    if (fs::is_directory(entry, error)) {
      if (!fs::exists(entry / name, error)) continue;
      open_and_register(entry / name);
    } else if (entry.filename() == name || split_name(entry).first.empty()) {
      open_and_register(entry);  // a file of any name that was asked for
    } else {
      continue;
    }
    if (const RegisteredComponent* found = registry_.find(kind, id)) return found;
    if (entry.filename() == name || fs::is_directory(entry, error))
      throw LoadError("plugin " + (fs::is_directory(entry, error) ? entry / name : entry).string() +
                      " has no " + std::string(kind) + " \"" + std::string(id) +
                      "\" in it, as its name says; `tenon plugins` lists what it has");
  }
  return nullptr;
}

void Loader::open_and_register(const fs::path& file) {
  const LoadedPlugin& plugin = open_plugin(file);
  if (std::find(opened_.begin(), opened_.end(), &plugin) != opened_.end()) return;
  check_runtime(plugin);
  opened_.push_back(&plugin);
  registry_.add(plugin);
}

void Loader::check_runtime(const LoadedPlugin& plugin) const {
  if (plugin.descriptor->runtime == nullptr) return;
  const std::string_view wanted = plugin.descriptor->runtime;
  const std::string_view library = wanted.substr(0, wanted.find(' '));
  for (const LoadedPlugin* other : opened_) {
    if (other->descriptor->runtime == nullptr) continue;
    const std::string_view there = other->descriptor->runtime;
    if (there == wanted || there.substr(0, there.find(' ')) != library) continue;
    throw LoadError("plugin " + plugin.path.string() + " needs " + std::string(wanted) + ", and " +
                    other->path.string() + " needs " + std::string(there) +
                    "; one process can hold one of them, so build both plugins with the same " +
                    std::string(library));
  }
}

bool Loader::exists(std::string_view kind, std::string_view id) const {
  std::vector<std::string> known = ids(kind);
  return std::find(known.begin(), known.end(), id) != known.end();
}

std::vector<std::string> Loader::ids(std::string_view kind) const {
  std::set<std::string> ids;
  for (const RegisteredComponent& known : registry_.all())
    if (kind == known.component->kind) ids.insert(known.component->id);
  for (const PluginFile& file : files())
    if (file.kind == kind) ids.insert(file.id);
  return {ids.begin(), ids.end()};
}

std::vector<std::string> Loader::kinds_of(std::string_view id) const {
  std::vector<std::string> kinds;
  for (const char* kind : kKinds)
    if (exists(kind, id)) kinds.emplace_back(kind);
  return kinds;
}

std::vector<PluginFile> Loader::files() const {
  std::vector<PluginFile> files;
  std::set<std::string> names;
  std::set<fs::path> seen;
  for (const fs::path& entry : path_.entries) {
    std::error_code error;
    if (!fs::exists(entry, error)) continue;
    std::vector<fs::path> found =
        fs::is_directory(entry, error) ? plugin_files_in(entry) : std::vector<fs::path>{entry};
    for (const fs::path& path : found) {
      if (!seen.insert(fs::weakly_canonical(path, error)).second)
        continue;  // a folder that is in the path twice
      auto [kind, id] = split_name(path);
      bool shadowed = !kind.empty() && !names.insert(path.filename().string()).second;
      files.push_back({path, kind, id, shadowed});
    }
  }
  return files;
}

SearchPath plugin_search_path(const std::vector<fs::path>& from_flags) {
  SearchPath path;
  path.n_flags = from_flags.size();
  for (const fs::path& entry : from_flags) {
    std::error_code unreachable;
    if (!fs::exists(entry, unreachable))
      throw UserError("--plugin-path " + entry.string() + ": " +
                      (unreachable ? unreachable.message() : "no such folder or file") +
                      "; give a folder that holds plugins (<kind>.<id>.so), or one such file");
    path.entries.push_back(fs::absolute(entry));
  }
  if (const char* variable = std::getenv("TENON_PLUGIN_PATH")) {
    std::istringstream in(variable);
    for (std::string entry; std::getline(in, entry, ':');)
      if (!entry.empty()) path.entries.push_back(fs::absolute(entry));
  }
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) path.entries.push_back((program.parent_path() / "../lib/tenon/plugins").lexically_normal());
  return path;
}

}  // namespace tenon::host
