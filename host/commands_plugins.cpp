// `tenon plugins`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_plugins.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstring>
#include <iostream>

#include "host/child_process.h"
#include "host/command_line.h"
#include "host/descriptor_json.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kDescribeLimit{10};

// What a plugin writes to stdout while it is opened must not end up in our answer.
class QuietStdout {
 public:
  QuietStdout() : saved_(dup(STDOUT_FILENO)) { dup2(STDERR_FILENO, STDOUT_FILENO); }
  ~QuietStdout() {
    std::fflush(stdout);
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
  }
  QuietStdout(const QuietStdout&) = delete;
  QuietStdout& operator=(const QuietStdout&) = delete;

 private:
  int saved_;
};

json::object describe_file(const std::filesystem::path& file) {
  try {
    QuietStdout quiet;
    const LoadedPlugin& plugin = open_plugin(file);
    return {{"plugin", describe_plugin(*plugin.descriptor)}, {"sha256", plugin.sha256()}};
  } catch (const LoadError& e) {
    return {{"error", e.what()}};
  }
}

void read_answer(const ChildResult& child, PluginReport& report) {
  const std::string file = report.file.path.string();
  if (child.timed_out) {
    report.problem = "plugin " + file + " did not answer within " + std::to_string(kDescribeLimit.count()) +
                     " s of being opened";
    return;
  }
  if (child.signal != 0) {
    report.problem = "plugin " + file + " crashed while it was opened: " + strsignal(child.signal);
    return;
  }
  json::error_code error;
  json::value answer = json::parse(child.output, error);
  if (error || !answer.is_object()) {
    report.problem = "plugin " + file + " ended the process that opened it, with exit code " +
                     std::to_string(child.exit_code);
  } else if (const auto* problem = answer.get_object().if_contains("error")) {
    report.problem = problem->as_string();
  } else {
    report.plugin = answer.get_object().at("plugin").as_object();
    report.plugin["sha256"] = answer.get_object().at("sha256");
  }
}

json::object report_json(const PluginReport& report) {
  json::object out{{"path", report.file.path.string()},
                   {"usable", report.problem.empty()},
                   {"shadowed", report.file.shadowed}};
  if (report.problem.empty()) {
    out["plugin"] = report.plugin;
  } else {
    out["problem"] = report.problem;
  }
  return out;
}

struct Row {
  std::string kind, id, version, summary, file;
  std::vector<std::string> presets;  // "dapo  where it is published"
};

// Leaves components of `kind` alone; a usable plugin that has none is left out.
void keep_kind(const std::string& kind, std::vector<PluginReport>& reports) {
  if (kind.empty()) return;
  std::erase_if(reports, [&](PluginReport& report) {
    if (!report.problem.empty()) return false;
    json::array kept;
    for (const json::value& component : report.plugin.at("components").as_array())
      if (component.at("kind").as_string() == kind) kept.push_back(component);
    const bool is_empty = kept.empty();
    report.plugin["components"] = std::move(kept);
    return is_empty;
  });
}

std::vector<std::string> presets_of(const json::object& component) {
  std::vector<std::string> lines;
  for (const json::value& preset : component.at("presets").as_array())
    lines.push_back(std::string(preset.at("name").as_string()) + "  " + preset.at("doc").as_string().c_str());
  return lines;
}

std::vector<Row> rows_of(const std::vector<PluginReport>& reports) {
  std::vector<Row> rows;
  for (const PluginReport& report : reports) {
    if (!report.problem.empty()) continue;
    for (const json::value& item : report.plugin.at("components").as_array()) {
      const json::object& component = item.as_object();
      auto text = [&](const char* key) { return std::string(component.at(key).as_string()); };
      rows.push_back({text("kind"), text("id"), text("version"), text("summary"),
                      report.file.path.string() +
                          (report.file.shadowed ? " (not used: an earlier folder has one of this name)" : ""),
                      presets_of(component)});
    }
  }
  auto order = [](const std::string& kind) {
    return std::find(std::begin(kKinds), std::end(kKinds), kind) - std::begin(kKinds);
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    return std::pair(order(a.kind), a.id) < std::pair(order(b.kind), b.id);
  });
  return rows;
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

void print_table(const std::vector<Row>& rows) {
  size_t kind = 0, id = 0, version = 0, summary = 0;
  for (const Row& row : rows) {
    kind = std::max(kind, row.kind.size());
    id = std::max(id, row.id.size());
    version = std::max(version, row.version.size());
    summary = std::max(summary, row.summary.size());
  }
  for (const Row& row : rows) {
    std::cout << padded(row.kind, kind) << "  " << padded(row.id, id) << "  " << padded(row.version, version)
              << "  " << padded(row.summary, summary) << "  " << row.file << '\n';
    for (const std::string& preset : row.presets)
      std::cout << std::string(kind + 2, ' ') << "preset " << preset << '\n';
  }
}

void print_text(const Loader& loader, const std::vector<PluginReport>& reports) {
  print_table(rows_of(reports));
  bool heading = false;
  for (const PluginReport& report : reports) {
    if (report.problem.empty()) continue;
    if (!heading) std::cout << "\nNot usable:\n";
    heading = true;
    std::cout << "  " << report.problem << '\n';
  }
  std::cout << (reports.empty() ? "No plugin files.\n" : "") << "\nLooked in:\n";
  for (const auto& folder : loader.search_path())
    std::cout << "  " << folder.string() << (std::filesystem::exists(folder) ? "" : " (does not exist)")
              << '\n';
}

}  // namespace

std::vector<PluginReport> inspect_plugins(const Loader& loader) {
  std::vector<PluginReport> reports;
  for (const PluginFile& file : loader.files()) {
    PluginReport report;
    report.file = file;
    read_answer(run_child("/proc/self/exe", {"plugins", "--json", "--describe-file", file.path.string()},
                          kDescribeLimit),
                report);
    reports.push_back(std::move(report));
  }
  return reports;
}

int plugins_command(const PluginsArguments& arguments) {
  if (!arguments.describe_file.empty()) {
    json::object answer = describe_file(arguments.describe_file);
    std::cout << json::serialize(answer) << '\n';
    return answer.contains("error") ? kExitUser : kExitOk;
  }
  if (!arguments.kind.empty()) check_kind(arguments.kind);
  Loader loader(plugin_search_path(arguments.plugin_path));
  std::vector<PluginReport> reports = inspect_plugins(loader);
  keep_kind(arguments.kind, reports);
  if (!arguments.json) {
    print_text(loader, reports);
    return kExitOk;
  }
  json::array path, files;
  for (const auto& folder : loader.search_path()) path.emplace_back(folder.string());
  for (const PluginReport& report : reports) files.push_back(report_json(report));
  std::cout << json::serialize(json::object{{"path", std::move(path)}, {"files", std::move(files)}}) << '\n';
  return kExitOk;
}

}  // namespace tenon::host
