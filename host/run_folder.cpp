// The folder of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/loader.h"
#include "host/run_error.h"
#include "host/sha256.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

void collect_plugins(const Spec& spec, std::set<const LoadedPlugin*>& seen,
                     std::vector<const LoadedPlugin*>& out) {
  if (spec.plugin != nullptr && seen.insert(spec.plugin).second) out.push_back(spec.plugin);
  for (const Slot& slot : spec.slots)
    if (slot.spec) collect_plugins(*slot.spec, seen, out);
}

std::vector<const LoadedPlugin*> plugins_of(const Plan& plan) {
  std::set<const LoadedPlugin*> seen;
  std::vector<const LoadedPlugin*> out;
  for (const StagePlan& stage : plan.stages) collect_plugins(stage.spec, seen, out);
  for (const Spec& sink : plan.sinks) collect_plugins(sink, seen, out);
  return out;
}

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown";
}

json::object machine() {
  utsname name{};
  uname(&name);
  return {{"host", name.nodename},
          {"system", std::string(name.sysname) + " " + name.release},
          {"processor", processor_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes",
           static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE))}};
}

std::string read_if_there(const fs::path& path) {
  return fs::exists(path) ? read_file(path) : std::string();
}

}  // namespace

StageFolder::StageFolder(const fs::path& run, const std::string& stage, const std::string& hash)
    : stage_(stage), path_(run / "stages" / (stage + "-" + hash.substr(0, 12))) {}

std::optional<json::object> StageFolder::done_record() const {
  const fs::path file = path_ / "done.json";
  if (!fs::exists(file)) return std::nullopt;
  try {
    json::object done = json::parse(read_file(file)).as_object();
    done.at("steps").to_number<uint64_t>();
    done.at("sample_id").to_number<uint64_t>();
    done.at("checkpoint").as_string();
    return done;
  } catch (const std::exception& e) {
    throw RunError(file.string() + ": does not say how the stage ended: " + e.what() + ". Remove " +
                   path_.string() + " to run the stage again");
  }
}

bool StageFolder::has_checkpoint_of(const json::object& done) const {
  return fs::exists(checkpoints() / done.at("checkpoint").as_string().c_str() / "manifest.json");
}

std::optional<json::object> StageFolder::done() const {
  std::optional<json::object> record = done_record();
  return record && has_checkpoint_of(*record) ? std::move(record) : std::nullopt;
}

bool StageFolder::lost_checkpoint() const {
  const std::optional<json::object> record = done_record();
  return record && !has_checkpoint_of(*record);
}

std::optional<json::object> StageFolder::results() const {
  const fs::path file = path_ / "eval.json";
  if (!fs::exists(file)) return std::nullopt;
  std::string why;
  boost::system::error_code error;
  const json::value read = json::parse(read_file(file), error);
  if (error) {
    why = error.message();
  } else {
    try {
      for (const auto& model : read.as_object())
        for (const auto& benchmark : model.value().as_object())
          for (const auto& metric : benchmark.value().as_object())
            if (!metric.value().is_null()) metric.value().to_number<double>();
      return read.as_object();
    } catch (const std::exception& e) {
      why = e.what();
    }
  }
  throw RunError(file.string() + " is damaged: " + why +
                 ". The stage's last checkpoint has the same numbers: remove " +
                 (path_ / "done.json").string() + ", and the next run writes both files again");
}

fs::path StageFolder::final_checkpoint() const {
  const std::optional<json::object> d = done();
  if (!d) throw RunError("stage " + stage_ + " has no final checkpoint in " + path_.string());
  return checkpoints() / d->at("checkpoint").as_string().c_str();
}

fs::path find_run(const fs::path& given) {
  const fs::path run = fs::absolute(given).lexically_normal();
  fs::path folder = run.has_filename() ? run : run.parent_path();
  if (fs::exists(folder / "config.yaml")) return folder;
  const fs::path below = fs::path("runs") / given;
  throw UserError(given.string() + ": not the folder of a run: it has no config.yaml." +
                  (fs::exists(below / "config.yaml") ? " Did you mean " + below.string() + "?" : "") +
                  " `tenon run FILE` starts one");
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string RunFolder::shown() const {
  const fs::path relative = path_.lexically_proximate(fs::current_path());
  return relative.string().starts_with("..") ? path_.string() : relative.string();
}

bool RunFolder::exists() const {
  return fs::exists(path_ / "manifest.json") || fs::exists(path_ / "lock");
}

void RunFolder::lock() {
  if (lock_ >= 0) return;
  make_folder(path_);
  const fs::path file = path_ / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) throw RunError(file.string() + ": cannot open it for writing: " + std::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    throw UserError(file.string() + ": process " + read_if_there(file) +
                    " is writing this run. Wait for it, or start a run of its own with --new");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const int error = errno;
    ::close(fd);
    throw RunError(file.string() + ": cannot write it: " + std::strerror(error));
  }
  lock_ = fd;
}

std::map<std::string, std::string> RunFolder::hashes() const {
  std::map<std::string, std::string> hashes;
  const fs::path file = path_ / "manifest.json";
  if (!fs::exists(file)) return hashes;
  try {
    const json::object manifest = json::parse(read_file(file)).as_object();
    if (const json::value* stages = manifest.if_contains("stages"))
      for (const auto& [stage, hash] : stages->as_object()) hashes[stage] = hash.as_string();
  } catch (const std::exception& e) {
    throw RunError(file.string() + ": not the manifest of a run: " + e.what());
  }
  return hashes;
}

fs::path RunFolder::set_aside(const StageFolder& stage) {
  const fs::path folder = path_ / "set-aside";
  make_folder(folder);
  for (int k = 1;; ++k) {
    const fs::path to = folder / (stage.path().filename().string() + "-" + std::to_string(k));
    if (fs::exists(to)) continue;
    rename_synced(stage.path(), to);
    return to;
  }
}

void RunFolder::write_description(const Plan& plan, const std::map<std::string, std::string>& hashes) {
  json::array plugins;
  for (const LoadedPlugin* p : plugins_of(plan))
    plugins.push_back(json::object{{"id", p->descriptor->id},
                                   {"version", p->descriptor->version},
                                   {"file", p->path.string()},
                                   {"sha256", p->sha256()}});
  const json::object manifest{{"tenon", version()},
                              {"sha256", sha256_of_file("/proc/self/exe")},
                              {"abi_level", TENON_ABI_LEVEL},
                              {"abi_draft", TENON_ABI_DRAFT},
                              {"config", plan.config_path.string()},
                              {"name", plan.name},
                              {"seed", plan.seed},
                              {"threads", plan.threads},
                              {"machine", machine()},
                              {"stages", json::value_from(hashes)},
                              {"plugins", std::move(plugins)}};
  write_file(path_ / "config.yaml", plan.resolved);
  write_file(path_ / "manifest.json", json_pretty(manifest));
}

json::object made_with(const Spec& spec) {
  std::set<const LoadedPlugin*> seen;
  std::vector<const LoadedPlugin*> plugins;
  collect_plugins(spec, seen, plugins);
  json::object out;
  for (const LoadedPlugin* p : plugins)
    out[p->descriptor->id] = json::object{{"version", p->descriptor->version}, {"sha256", p->sha256()}};
  return {{"tenon", version()}, {"plugins", std::move(out)}};
}

std::vector<std::string> made_otherwise(const json::value* then, const json::object& now) {
  if (then == nullptr) return {"does not say which plugins it was made with"};
  std::vector<std::string> out;
  for (const json::value& made : then->as_array()) {
    if (made.at("tenon") != now.at("tenon"))
      out.push_back("was made by tenon " + std::string(made.at("tenon").as_string()) + "; this is " +
                    std::string(now.at("tenon").as_string()));
    const json::object& plugins = made.at("plugins").as_object();
    for (const auto& plugin : now.at("plugins").as_object()) {
      const json::value* old = plugins.if_contains(plugin.key());
      if (old != nullptr && old->at("sha256") == plugin.value().at("sha256")) continue;
      const std::string id(plugin.key());
      out.push_back(old == nullptr ? "was made without plugin " + id
                                   : "was made with another file of plugin " + id + ", version " +
                                         old->at("version").as_string().c_str() + "; now it is version " +
                                         plugin.value().at("version").as_string().c_str());
    }
  }
  return out;
}

void RunFolder::assemble(const std::vector<StageFolder>& stages, const std::vector<std::string>& names) {
  for (const char* name : kRecordFiles) {
    std::string all;
    for (const StageFolder& stage : stages) all += read_if_there(stage.path() / name);
    if (!fs::exists(path_ / name) || read_file(path_ / name) != all) write_file(path_ / name, all);
  }
  json::object results;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (!stages[i].done()) continue;
    if (std::optional<json::object> of_stage = stages[i].results()) results[names[i]] = std::move(*of_stage);
  }
  const std::string text = json_pretty(results);
  if (read_if_there(path_ / "eval.json") != text) write_file(path_ / "eval.json", text);
}

}  // namespace tenon::host
