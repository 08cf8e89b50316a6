// `tenon doctor`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_doctor.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "host/available_threads.h"
#include "host/child_process.h"
#include "host/command_line.h"
#include "host/commands_plugins.h"
#include "host/loader.h"

namespace tenon::host {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// The value of "key   : value" in a file like /proc/cpuinfo.
std::string proc_value(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

json::array cpu_features() {
  json::array features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) features.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) features.emplace_back("fma");
  if (__builtin_cpu_supports("avx512f")) features.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) features.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512vl")) features.emplace_back("avx512vl");
  if (__builtin_cpu_supports("avx512bf16")) features.emplace_back("avx512bf16");
  if (__builtin_cpu_supports("avx512vnni")) features.emplace_back("avx512vnni");
#endif
  return features;
}

json::object describe_cpu() {
  return {{"name", proc_value("/proc/cpuinfo", "model name")},
          {"threads", available_threads()},
          {"features", cpu_features()}};
}

// The smaller of what the machine has and what the control group allows, in bytes; 0: not known.
uint64_t memory_limit(uint64_t total) {
  std::istringstream in(first_line("/sys/fs/cgroup/memory.max"));
  uint64_t limit = 0;
  return in >> limit && limit < total ? limit : total;
}

json::object describe_memory() {
  auto bytes = [](const char* key) {
    return std::strtoull(proc_value("/proc/meminfo", key).c_str(), nullptr, 10) * 1024;
  };
  uint64_t total = bytes("MemTotal");
  return {{"total", total}, {"usable", memory_limit(total)}, {"available", bytes("MemAvailable")}};
}

fs::path find_nvcc() {
  std::vector<fs::path> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char* home = std::getenv(variable)) folders.push_back(fs::path(home) / "bin");
  if (const char* path = std::getenv("PATH")) {
    std::istringstream in(path);
    for (std::string folder; std::getline(in, folder, ':');) folders.emplace_back(folder);
  }
  folders.emplace_back("/usr/local/cuda/bin");
  std::error_code error;
  for (const fs::path& folder : folders)
    if (fs::exists(folder / "nvcc", error)) return folder / "nvcc";
  return {};
}

json::object describe_cuda() {
  std::error_code error;
  json::array devices;
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", error))
    devices.emplace_back(proc_value(entry.path() / "information", "Model"));
  return {{"driver", first_line("/proc/driver/nvidia/version")},
          {"toolkit", find_nvcc().string()},
          {"devices", std::move(devices)}};
}

json::object describe_plugins(const Loader& loader, const std::vector<PluginReport>& reports) {
  json::array folders, problems, runtimes;
  for (const fs::path& folder : loader.search_path())
    folders.push_back(json::object{{"path", folder.string()}, {"exists", fs::exists(folder)}});
  std::set<std::string> seen;
  size_t usable = 0;
  for (const PluginReport& report : reports) {
    if (!report.problem.empty()) {
      problems.emplace_back(report.problem);
      continue;
    }
    ++usable;
    const json::value& runtime = report.plugin.at("runtime");
    if (runtime.is_string()) seen.insert(std::string(runtime.get_string()));
  }
  for (const std::string& runtime : seen) runtimes.emplace_back(runtime);
  return {{"path", std::move(folders)},
          {"usable", usable},
          {"problems", std::move(problems)},
          {"runtimes", std::move(runtimes)}};
}

// Programs that come beside plugins and say what of this machine they can use (sandboxes): tenon-NAME-probe in the folder of this program or of plugins.
// Each prints one line a finding; none is a problem by itself.
json::array run_probes(const std::vector<fs::path>& plugin_folders) {
  constexpr std::chrono::seconds kLimit{60};
  constexpr std::string_view kBefore = "tenon-", kAfter = "-probe";
  std::error_code error;
  std::set<fs::path> folders{fs::read_symlink("/proc/self/exe", error).parent_path()}, programs;
  folders.insert(plugin_folders.begin(), plugin_folders.end());
  for (const fs::path& folder : folders)
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename();
      const bool is_named_so =
          name.size() > kBefore.size() + kAfter.size() && name.starts_with(kBefore) && name.ends_with(kAfter);
      if (is_named_so && access(entry.path().c_str(), X_OK) == 0) programs.insert(entry.path());
    }
  json::array probes;
  for (const fs::path& program : programs) {
    const std::string name = program.filename();
    json::array lines;
    try {
      const ChildResult result = run_child(program, {}, kLimit);
      std::istringstream text(result.output);
      for (std::string line; std::getline(text, line);) lines.emplace_back(line);
      if (result.timed_out) lines.emplace_back("it did not end within 60 s");
      if (result.signal != 0) lines.emplace_back("it ended by signal " + std::to_string(result.signal));
    } catch (const std::runtime_error& e) {
      lines.emplace_back(e.what());
    }
    probes.push_back(
        json::object{{"name", name.substr(kBefore.size(), name.size() - kBefore.size() - kAfter.size())},
                     {"program", program.string()},
                     {"lines", std::move(lines)}});
  }
  return probes;
}

std::string join(const json::value& words) {
  std::string text;
  for (const json::value& word : words.as_array())
    text += (text.empty() ? "" : ", ") + std::string(word.as_string());
  return text.empty() ? "none" : text;
}

std::string or_none(const json::value& text) {
  return text.as_string().empty() ? "none" : std::string(text.as_string());
}

std::string gib(const json::value& bytes) {
  std::ostringstream out;
  out.precision(1);
  out << std::fixed << bytes.to_number<double>() / (1 << 30) << " GiB";
  return out.str();
}

void print_text(const json::object& answer) {
  const json::object &cpu = answer.at("cpu").as_object(), &memory = answer.at("memory").as_object(),
                     &cuda = answer.at("cuda").as_object(), &plugins = answer.at("plugins").as_object();
  std::cout << "tenon     " << std::string(answer.at("version").as_string()) << ", plugin ABI level "
            << TENON_ABI_LEVEL << " draft " << TENON_ABI_DRAFT << '\n'
            << "CPU       " << or_none(cpu.at("name")) << ", " << cpu.at("threads").to_number<uint64_t>()
            << " threads\n"
            << "          " << join(cpu.at("features")) << '\n'
            << "memory    " << gib(memory.at("usable")) << ", " << gib(memory.at("available"))
            << " of it free\n"
            << "GPU       " << join(cuda.at("devices")) << "; driver: " << or_none(cuda.at("driver"))
            << "; CUDA toolkit: " << or_none(cuda.at("toolkit")) << '\n'
            << "plugins   " << plugins.at("usable").to_number<uint64_t>() << " usable, "
            << plugins.at("problems").as_array().size() << " not; they want: " << join(plugins.at("runtimes"))
            << '\n';
  for (const json::value& folder : plugins.at("path").as_array())
    std::cout << "          " << std::string(folder.as_object().at("path").as_string())
              << (folder.as_object().at("exists").as_bool() ? "" : " (does not exist)") << '\n';
  for (const json::value& probe : answer.at("probes").as_array()) {
    std::string label(probe.as_object().at("name").as_string());
    for (const json::value& line : probe.as_object().at("lines").as_array()) {
      label.resize(std::max<size_t>(label.size(), 9), ' ');
      std::cout << label << ' ' << std::string(line.as_string()) << '\n';
      label.clear();
    }
  }
  for (const json::value& problem : plugins.at("problems").as_array())
    std::cout << "problem   " << std::string(problem.as_string()) << '\n';
}

}  // namespace

int doctor_command(const DoctorArguments& arguments) {
  Loader loader(plugin_search_path(arguments.plugin_path));
  json::object answer{{"version", version()},
                      {"abi", {{"level", TENON_ABI_LEVEL}, {"draft", TENON_ABI_DRAFT}}},
                      {"cpu", describe_cpu()},
                      {"memory", describe_memory()},
                      {"cuda", describe_cuda()},
                      {"plugins", describe_plugins(loader, inspect_plugins(loader))},
                      {"probes", run_probes(loader.search_path())}};
  if (arguments.json) {
    std::cout << json::serialize(answer) << '\n';
  } else {
    print_text(answer);
  }
  return answer.at("plugins").at("problems").as_array().empty() ? kExitOk : kExitFailed;
}

}  // namespace tenon::host
