// A checked plan, carried out.
// SPDX-License-Identifier: Apache-2.0
#include "host/pipeline.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "host/components.h"
#include "host/content_hash.h"
#include "host/diagnostics.h"
#include "host/run_changes.h"
#include "host/run_error.h"
#include "host/signals.h"
#include "host/stage_run.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::shared_ptr<spdlog::logger> quiet_log() {
  return std::make_shared<spdlog::logger>("tenon", std::make_shared<spdlog::sinks::null_sink_mt>());
}

// Everything to log.txt, warnings and errors to the terminal as well.
std::shared_ptr<spdlog::logger> open_log(const fs::path& file) {
  try {
    auto to_file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
    to_file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    auto to_terminal = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    to_terminal->set_level(spdlog::level::warn);
    to_terminal->set_pattern("%l: %v");
    auto log = std::make_shared<spdlog::logger>("tenon", spdlog::sinks_init_list{to_file, to_terminal});
    log->set_level(spdlog::level::debug);
    log->flush_on(spdlog::level::info);
    log->set_error_handler(
        [](const std::string& what) { std::fprintf(stderr, "error: %s\n", what.c_str()); });
    return log;
  } catch (const spdlog::spdlog_ex& e) {
    throw RunError(e.what());
  }
}

class Pipeline {
 public:
  Pipeline(const Plan& plan, RunFolder& folder) : plan_(plan), folder_(folder), pool_(plan.threads) {
    services_.seed = plan.seed;
    services_.pool = &pool_;
    services_.log = quiet_log();
    hashes_ = ContentHasher().hash_stages(plan);
    for (const StagePlan& stage : plan.stages)
      folders_.emplace_back(folder.path(), stage.name, hashes_.at(stage.name));
  }

  // Creates what stage i will run with, and destroys it; nothing is written.
  void try_stage(size_t i) {
    const StageInputs none{[](const std::string&) { return fs::path(); },
                           [&](const std::string& stage, const std::string& rows) {
                             const StageFolder& made = folder_of(stage);
                             return made.done() ? made.rows(rows) : fs::path();
                           }};
    services_.output_folder = folders_[i].artifacts().string();
    Components(services_, plan_.stages[i], none, nullptr);
  }
  void try_unfinished() {
    for (size_t i = 0; i < plan_.stages.size(); ++i)
      if (!folders_[i].done()) try_stage(i);
  }

  bool all_finished() const {
    return std::all_of(folders_.begin(), folders_.end(),
                       [](const StageFolder& f) { return f.done().has_value(); });
  }

  RunReport run() {
    RunReport report;
    find_unused(report);
    find_made_otherwise(report);
    if (all_finished()) {
      assemble(folders_.size());
      if (!report.unused.empty() || !report.made_otherwise.empty())
        services_.log = open_log(folder_.path() / "log.txt");
      if (!report.unused.empty()) log_unused(report);
      for (const std::string& warning : report.made_otherwise) services_.log->warn(warning);
      report.nothing_to_do = true;
      for (size_t i = 0; i < folders_.size(); ++i) report.stages.push_back(cached(i));
      return report;
    }
    try_unfinished();
    Sinks sinks(services_, plan_.sinks, plan_.name);
    lock();
    try {
      const std::string again = stages_again();
      folder_.write_description(plan_);
      services_.log = open_log(folder_.path() / "log.txt");
      for (const std::string& warning : report.made_otherwise) services_.log->warn(warning);
      if (!again.empty()) services_.log->warn(again);
      if (!report.unused.empty()) log_unused(report);
      for (size_t i = 0; i < plan_.stages.size(); ++i) report.stages.push_back(run_stage(i, sinks));
    } catch (const UserError& e) {
      throw RunError(place_text(e.mark()) + e.what());
    } catch (const RunError& e) {
      services_.log->log(spdlog::source_loc{}, spdlog::level::info, std::string("failed: ") + e.what());
      throw;
    }
    return report;
  }

 private:
  // Makes the run's folder, the first thing that is written.
  void lock() {
    try {
      folder_.lock();
    } catch (const RunError& e) {
      throw UserError(plan_.runs_mark,
                      std::string(plan_.runs_mark.file.empty() ? "" : "run.runs: ") + e.what());
    }
  }

  size_t index_of(const std::string& stage) const {
    for (size_t i = 0; i < plan_.stages.size(); ++i)
      if (plan_.stages[i].name == stage) return i;
    throw RunError("there is no stage " + stage);
  }
  const StageFolder& folder_of(const std::string& stage) const { return folders_[index_of(stage)]; }

  // The final checkpoint that holds the model of `stage`. A stage that did not train the model it got from an earlier one keeps no copy: the model is
  // then that one's.
  fs::path checkpoint_with_model(const std::string& stage) const {
    const fs::path path = folder_of(stage).final_checkpoint();
    if (Checkpoint::open(path).has("model")) return path;
    for (const Slot& slot : plan_.stages[index_of(stage)].spec.slots)
      if (slot.name == "model" && !slot.stage.empty()) return checkpoint_with_model(slot.stage);
    return path;
  }

  // Of the first n stages.
  void assemble(size_t n) {
    std::vector<std::string> names;
    for (size_t i = 0; i < n; ++i) names.push_back(plan_.stages[i].name);
    folder_.assemble({folders_.begin(), folders_.begin() + static_cast<ptrdiff_t>(n)}, names);
  }

  StageReport cached(size_t i) const {
    return {plan_.stages[i].name, hashes_.at(plan_.stages[i].name), StageReport::Status::kCached,
            folders_[i].done()->at("steps").to_number<uint64_t>()};
  }

  void find_unused(RunReport& report) const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "stages", error)) {
      const bool is_used = std::any_of(folders_.begin(), folders_.end(),
                                       [&](const StageFolder& f) { return f.path() == entry.path(); });
      if (is_used || !entry.is_directory(error)) continue;
      report.unused.push_back(entry.path());
      report.unused_bytes += tree_bytes(entry.path());
    }
    std::sort(report.unused.begin(), report.unused.end());
  }

  // The content hash has the plugins' versions, not their files: a plugin that was built again under the same version does not run its stages again.
  void find_made_otherwise(RunReport& report) const {
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      const std::optional<json::object> done = folders_[i].done();
      if (!done) continue;
      const StagePlan& stage = plan_.stages[i];
      for (const std::string& how : made_otherwise(done->if_contains("made_with"), made_with(stage.spec)))
        report.made_otherwise.push_back("stage " + stage.name + " is finished and kept, but " + how +
                                        ". To run it again: delete " + folders_[i].path().string() +
                                        ", or raise the plugin's version, or start over with --new");
    }
  }

  void log_unused(const RunReport& report) const {
    std::string folders;
    for (const fs::path& folder : report.unused) folders += " '" + folder.string() + "'";
    services_.log->info(
        "{} in {} {} to no stage of this configuration ({}). They are kept for a configuration that is "
        "changed back; to delete what this one does not need: rm -r{}",
        report.unused.size() == 1 ? "1 folder" : std::to_string(report.unused.size()) + " folders",
        (folder_.path() / "stages").string(), report.unused.size() == 1 ? "belongs" : "belong",
        size_text(report.unused_bytes), folders);
  }

  // Which stages were finished and run again all the same, and why; empty: none does.
  std::string stages_again() const {
    std::string names;
    std::error_code error;
    for (size_t i = 0; i < folders_.size(); ++i) {
      const std::string& stage = plan_.stages[i].name;
      bool was_finished = false;
      for (const auto& entry : fs::directory_iterator(folder_.path() / "stages", error)) {
        const std::string name = entry.path().filename().string();
        was_finished = was_finished || (name.size() == stage.size() + 13 && name.starts_with(stage + "-") &&
                                        fs::exists(entry.path() / "done.json"));
      }
      if (was_finished && !folders_[i].done()) names += (names.empty() ? "" : ", ") + stage;
    }
    const fs::path before = folder_.path() / "config.yaml";
    if (names.empty() || !fs::exists(before)) return "";
    const std::string changes = changes_text(config_changes(read_file(before), plan_.resolved));
    return "run again: " + names + "; changed since " + folder_.shown() +
           " was made: " + (changes.empty() ? "an input file's content or a plugin's version" : changes) +
           ". Its records become those of this configuration (--name NAME keeps both)";
  }

  // Says so when a stage that was interrupted does not go on because what it depends on has changed.
  void warn_of_abandoned(const std::string& stage, const StageFolder& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "stages", error)) {
      const std::string name = entry.path().filename().string();
      if (name.size() != stage.size() + 13 || !name.starts_with(stage + "-") || entry.path() == folder.path())
        continue;
      if (fs::exists(entry.path() / "done.json") || !fs::exists(entry.path() / "checkpoints")) continue;
      services_.log->warn(
          "stage {} starts from its beginning: it was interrupted with other options, inputs or plugins, and "
          "that part stays in {}",
          stage, entry.path().string());
    }
  }

  StageReport run_stage(size_t i, Sinks& sinks) {
    const StagePlan& stage = plan_.stages[i];
    const StageFolder& folder = folders_[i];
    if (folder.done()) {
      sinks.event(TENON_EVENT_STAGE_CACHED, stage.name,
                  "finished before, and nothing it depends on has changed");
      assemble(i + 1);  // an earlier stage may have run again
      return cached(i);
    }
    if (StopSignals::requested())
      throw RunStopped("stopped before " + stage.name + "; go on with: tenon resume " + folder_.shown());
    const std::optional<Checkpoint> resume = prepare_stage_folder(folder);
    if (!resume) warn_of_abandoned(stage.name, folder);
    if (resume)
      for (const std::string& how :
           made_otherwise(resume->manifest().if_contains("made_with"), made_with(stage.spec)))
        services_.log->warn(
            "stage {} goes on, but what is there of it {}: what follows may differ from an "
            "uninterrupted run. To run it from its beginning: delete {}",
            stage.name, how, folder.path().string());
    assemble(i + 1);

    uint64_t first_sample_id = 0;
    for (const std::string& input : stage.inputs)
      first_sample_id =
          std::max(first_sample_id, folder_of(input).done()->at("sample_id").to_number<uint64_t>());
    const StageInputs inputs{
        [&](const std::string& name) { return checkpoint_with_model(name); },
        [&](const std::string& name, const std::string& rows) {
          const fs::path file = folder_of(name).rows(rows);
          if (!fs::exists(file))
            throw RunError(place_text(stage.mark) + "stage " + name + " made no rows called " + rows);
          return file;
        }};
    services_.output_folder = folder.artifacts().string();
    StageRun run({services_, stage, hashes_.at(stage.name), folder_, folder, sinks, inputs,
                  plan_.max_reward_failures, plan_.reward_timeout, first_sample_id,
                  plan_.checkpoint_interval});
    run.run(resume);
    assemble(i + 1);
    return {stage.name, hashes_.at(stage.name),
            resume ? StageReport::Status::kResumed : StageReport::Status::kRan, run.steps()};
  }

  const Plan& plan_;
  RunFolder& folder_;
  ThreadPool pool_;
  HostServices services_;
  std::map<std::string, std::string> hashes_;
  std::vector<StageFolder> folders_;
};

}  // namespace

RunReport run_pipeline(const Plan& plan, RunFolder& folder) {
  std::optional<Pipeline> pipeline;
  try {
    pipeline.emplace(plan, folder);
    if (folder.exists()) folder.lock();
  } catch (const RunError& e) {
    throw UserError(e.what());
  }
  return pipeline->run();
}

void try_components(const Plan& plan, Diagnostics& diagnostics) {
  RunFolder folder(plan.runs / plan.name);
  try {
    Pipeline pipeline(plan, folder);
    for (size_t i = 0; i < plan.stages.size(); ++i) {
      try {
        pipeline.try_stage(i);
      } catch (const UserError& e) {
        diagnostics.add(e);
      }
    }
  } catch (const UserError& e) {
    diagnostics.add(e);
  } catch (const RunError& e) {
    diagnostics.add(UserError(e.what()));
  }
}

}  // namespace tenon::host
