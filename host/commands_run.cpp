// `tenon run` and `tenon resume`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_run.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <iostream>

#include "host/check.h"
#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/loader.h"
#include "host/pipeline.h"
#include "host/run_changes.h"
#include "host/run_error.h"
#include "host/run_folder.h"
#include "host/shown_text.h"
#include "host/signals.h"
#include "host/stdout_keeper.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const char* status_name(StageReport::Status status) {
  switch (status) {
    case StageReport::Status::kCached:
      return "cached";
    case StageReport::Status::kResumed:
      return "resumed";
    case StageReport::Status::kLeft:
      return "left out";
    default:
      return "ran";
  }
}

// What a stage left for use outside the run, in the folder of tenon_stage_io.folder.
std::vector<fs::path> files_of(const RunFolder& folder, const StageReport& stage) {
  std::vector<fs::path> files;
  std::error_code error;
  const fs::path there = StageFolder(folder.path(), stage.name, stage.hash).artifacts();
  for (const auto& entry : fs::directory_iterator(there, error))
    if (!entry.path().filename().string().starts_with('.')) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// What stages found out in numbers. Where that is one table, it was printed when its stage ended.
void print_overview(const RunReport& report) {
  if (!report.nothing_to_do && report.results.size() < 2 && overview_columns(report.results) < 2) return;
  std::vector<std::string> stages;
  for (const StageReport& stage : report.stages) stages.push_back(stage.name);
  const std::string table = overview_table(report.results, stages);
  if (!table.empty()) std::cout << table << '\n';
}

void print_report(const RunFolder& folder, const RunReport& report, bool as_json) {
  if (as_json) {
    json::array stages;
    for (const StageReport& s : report.stages) {
      json::array files;
      for (const fs::path& file : files_of(folder, s)) files.emplace_back(file.string());
      stages.push_back(json::object{{"name", s.name},
                                    {"hash", s.hash},
                                    {"status", status_name(s.status)},
                                    {"steps", s.steps},
                                    {"files", files}});
    }
    json::array unused;
    for (const fs::path& path : report.unused) unused.emplace_back(path.string());
    json::object results;
    for (const StageResults& stage : report.results) results[stage.stage] = stage.results;
    json::array set_aside;
    for (const fs::path& path : report.set_aside) set_aside.emplace_back(path.string());
    std::cout << json_text(json::object{{"run", folder.path().string()},
                                        {"status", report.nothing_to_do ? "nothing to do" : "finished"},
                                        {"stages", stages},
                                        {"unused_stage_folders", unused},
                                        {"set_aside", set_aside},
                                        {"results", results},
                                        {"made_otherwise", json::value_from(report.made_otherwise)}})
              << '\n';
    return;
  }
  print_overview(report);
  const auto left = std::count_if(report.stages.begin(), report.stages.end(), [](const StageReport& s) {
    return s.status == StageReport::Status::kLeft;
  });
  if (report.nothing_to_do && left > 0) {
    std::cout << "nothing to do: what was asked for of " << folder.shown()
              << " is finished; --force runs it again\n";
  } else if (report.nothing_to_do) {
    std::cout << "nothing to do: "
              << (report.stages.size() == 1 ? "the one stage"
                                            : "all " + std::to_string(report.stages.size()) + " stages")
              << " of " << folder.shown() << (report.stages.size() == 1 ? " is" : " are") << " finished"
              << (report.made_otherwise.empty() ? " and unchanged" : ", though by others than are here now")
              << "; --new starts over in a folder of its own\n";
  } else {
    std::cout << "finished: " << folder.shown();
    if (left > 0)
      std::cout << ", of which " << left << (left == 1 ? " stage is" : " stages are") << " left out";
    std::cout << '\n';
  }
  for (const StageReport& s : report.stages)
    for (const fs::path& file : files_of(folder, s))
      std::cout << s.name << ": " << (fs::path(folder.shown()) / fs::relative(file, folder.path())).string()
                << '\n';
  if (const size_t n = report.set_aside.size(); n > 0)
    std::cout << (n == 1 ? "the earlier folder of 1 stage"
                         : "the earlier folders of " + std::to_string(n) + " stages")
              << " (" << size_text(report.set_aside_bytes)
              << "): " << (fs::path(folder.shown()) / "set-aside").string()
              << ", for you to keep or delete\n";
  if (const size_t n = report.unused.size(); n > 0)
    std::cout << (n == 1 ? "1 stage folder" : std::to_string(n) + " stage folders") << " ("
              << size_text(report.unused_bytes) << ") of earlier configurations: " << folder.shown()
              << "/log.txt says how to delete " << (n == 1 ? "it" : "them") << '\n';
}

// <runs>/<name>, or with `fresh` the first of <name>, <name>-2, <name>-3… that is not there.
std::string folder_name(const Plan& plan, bool fresh) {
  std::string name = plan.name;
  for (int k = 2; fresh && fs::exists(plan.runs / name); ++k) name = plan.name + "-" + std::to_string(k);
  return name;
}

// Before the components are tried, which may take long.
void check_writable(const Plan& plan) {
  const fs::path there = nearest_existing(plan.runs / plan.name);
  const bool is_folder = fs::is_directory(there);
  if (is_folder && ::access(there.c_str(), W_OK | X_OK) == 0) return;
  throw UserError(
      plan.runs_mark,
      std::string(plan.runs_mark.file.empty() ? "" : "run.runs: ") + there.string() +
          (is_folder ? std::string(": cannot write there: ") + std::strerror(errno) : " is not a folder") +
          "; the run's folder must be one that you may write to");
}

// Checks, then runs; `prepare` may change the checked plan. is_resolved: as make_plan's. silent: as RunArguments'.
int check_and_run(const fs::path& config, bool is_resolved, const std::vector<std::string>& set,
                  const std::vector<fs::path>& plugin_path, std::optional<uint32_t> threads, bool as_json,
                  bool silent, const RunOptions& options, const std::function<void(Plan&)>& prepare) {
  Diagnostics diagnostics;
  bool is_checked = false;
  StdoutKeeper keeper(as_json || silent);
  auto fail = [&](int code, const std::string& status, const std::string& message) {
    keeper.give_back();
    if (as_json)
      std::cout << json_text(json::object{
                       {"status", status}, {"message", message}, {"diagnostics", diagnostics.to_json()}})
                << '\n';
    return code;
  };
  try {
    Loader loader(plugin_search_path(plugin_path));
    Plan plan = make_plan(config, set, loader, diagnostics, is_resolved);
    diagnostics.print(std::cerr);
    if (diagnostics.has_errors()) return fail(kExitUser, "invalid", "the configuration has mistakes");
    is_checked = true;
    if (threads) plan.threads = *threads;
    prepare(plan);
    check_writable(plan);
    RunFolder folder(plan.runs / plan.name);
    const StopSignals signals;
    const RunReport report = run_pipeline(plan, folder, options);
    keeper.give_back();
    if (!silent) print_report(folder, report, as_json);
    std::cout.flush();
    if (std::cout) return kExitOk;
    std::cerr << "error: cannot write to the standard output\n";
    return kExitFailed;
  } catch (const UserError& e) {
    Diagnostics late;  // what was found before has been printed
    std::error_code ignored;
    if (is_checked && fs::is_regular_file(e.mark().file, ignored))
      late.add_source(e.mark().file, read_file(e.mark().file));
    diagnostics.add(e);
    late.add(e);
    (is_checked ? late : diagnostics).print(std::cerr);
    return fail(kExitUser, "invalid", e.what());
  } catch (const RunStopped& e) {
    std::cerr << shown_text(e.what()) << '\n';
    return fail(kExitStopped, "stopped", e.what());
  } catch (const RunWaits& e) {
    std::cerr << shown_text(e.what()) << '\n';
    return fail(kExitWaits, "waits", e.what());
  } catch (const std::exception& e) {
    std::cerr << "error: " << shown_text(e.what()) << '\n';
    return fail(kExitFailed, "failed", e.what());
  }
}

}  // namespace

// The file itself may change.
void check_same_config(const Plan& plan) {
  const RunFolder run(plan.runs / plan.name);
  const fs::path recorded = recorded_config(run.path()), before = run.path() / "config.yaml";
  if (recorded.empty() || recorded == plan.config_path || recorded == before || !fs::exists(before)) return;
  const std::vector<std::string> changes = config_changes(read_file(before), plan.resolved);
  if (changes.empty()) return;
  throw UserError(run.shown() + " is the run of another configuration, " + recorded.string() + ": " +
                  changes_text(changes) +
                  ". Give this one a name of its own with --name NAME or run.name; --new takes " +
                  folder_name(plan, true));
}

int run_command(const RunArguments& a) {
  return check_and_run(
      a.config, a.is_resolved, a.set, a.plugin_path, a.threads, a.json, a.silent, {a.choice, false},
      [&](Plan& plan) {
        const bool chooses = !a.choice.from.empty() || !a.choice.only.empty() || a.choice.force;
        if (a.fresh && chooses)
          throw UserError(
              "--new starts in a folder where nothing is finished: leave out --from, --only and --force");
        plan.name = folder_name(plan, a.fresh);
        check_same_config(plan);
      });
}

int resume_command(const ResumeArguments& a) {
  fs::path folder;
  try {
    folder = find_run(a.run);
  } catch (const UserError& e) {
    std::cerr << "error: " << shown_text(e.what()) << '\n';
    return kExitUser;
  }
  return check_and_run(folder / "config.yaml", true, {}, a.plugin_path, a.threads, a.json, false, {{}, true},
                       [&](Plan& plan) {
                         plan.runs = folder.parent_path();
                         plan.runs_mark = {};
                         plan.name = folder.filename().string();
                         if (const fs::path recorded = recorded_config(folder); !recorded.empty())
                           plan.config_path = recorded;
                       });
}

}  // namespace tenon::host
