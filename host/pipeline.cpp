// A checked plan, carried out.
// SPDX-License-Identifier: Apache-2.0
#include "host/pipeline.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <map>

#include "host/components.h"
#include "host/data_check.h"
#include "host/diagnostics.h"
#include "host/option_values.h"
#include "host/run_error.h"
#include "host/shown_text.h"
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
  }

  // Before anything else.
  void look(const StageChoice& choice) {
    try {
      outlook_ = outlook(plan_, folder_.path(), choice);
    } catch (const RunError& e) {
      throw UserError(e.what());
    }
  }

  // Creates what stage i will run with, and destroys it; nothing is written.
  void try_stage(size_t i) {
    const StageInputs none{[](const std::string&) { return fs::path(); },
                           [&](const std::string& stage, const std::string& rows) {
                             const StageOutlook& made = outlook_[index_of(stage)];
                             return made.status == Status::kKept ? made.folder.rows(rows) : fs::path();
                           }};
    services_.output_folder = outlook_[i].folder.artifacts().string();
    Components(services_, plan_.stages[i], none, nullptr);
  }

  RunReport run(const RunOptions& options) {
    options_ = options;
    look(options.choice);
    options_.choice.only = only_stage_name(plan_, options.choice);
    if (options.only_go_on) refuse_changes();
    RunReport report;
    find_unused(report);
    find_made_otherwise(report);
    find_outdated(report);
    if (std::none_of(outlook_.begin(), outlook_.end(), will_run)) {
      keep_all(report);
      return report;
    }
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      if (outlook_[i].status == Status::kKept) outlook_[i].folder.results();  // told now, not in the end
      if (!will_run(outlook_[i])) continue;
      check_inputs(plan_.stages[i].spec);
      try_stage(i);
      if (outlook_[i].status == Status::kRuns) check_rows(plan_.stages[i]);
    }
    Sinks sinks(services_, plan_.sinks, plan_.name);
    lock();
    try {
      set_aside(report);
      folder_.write_description(plan_, hashes());
      services_.log = open_log(folder_.path() / "log.txt");
      log_findings(report);
      for (size_t i = 0; i < plan_.stages.size(); ++i) report.stages.push_back(run_stage(i, sinks));
      assemble(outlook_.size());
      report.results = results();
    } catch (const UserError& e) {
      throw RunError(place_text(e.mark()) + e.what());
    } catch (const RunError& e) {
      services_.log->log(spdlog::source_loc{}, spdlog::level::info, "failed: " + shown_text(e.what()));
      throw;
    } catch (const RunWaits& e) {
      services_.log->log(spdlog::source_loc{}, spdlog::level::info, shown_text(e.what()));
      throw;
    }
    return report;
  }

 private:
  using Status = StageOutlook::Status;

  static bool will_run(const StageOutlook& stage) {
    return stage.status == Status::kRuns || stage.status == Status::kGoesOn;
  }

  // Nothing has to run: the run's files become those of this configuration, which may be an earlier one again.
  void keep_all(RunReport& report) {
    report.nothing_to_do = true;
    assemble(outlook_.size());
    if (options_.choice.only.empty() && folder_.hashes() != hashes())
      folder_.write_description(plan_, hashes());
    if (!report.unused.empty() || !report.made_otherwise.empty())
      services_.log = open_log(folder_.path() / "log.txt");
    log_findings(report);
    for (size_t i = 0; i < outlook_.size(); ++i) report.stages.push_back(not_run(i));
    report.results = results();
  }

  // What the stages' eval.json have; in a loop a model goes by its short name there, and by its whole one here.
  std::vector<StageResults> results() const {
    std::vector<StageResults> all;
    for (size_t i = 0; i < outlook_.size(); ++i) {
      if (!outlook_[i].folder.done()) continue;
      const std::optional<json::object> read = outlook_[i].folder.results();
      if (!read) continue;
      StageResults stage{plan_.stages[i].name, {}};
      for (const auto& [model, benchmarks] : *read)
        stage.results[whole_name(plan_.stages[i], model)] = benchmarks;
      all.push_back(std::move(stage));
    }
    return all;
  }

  // A stage's own model goes by the stage's name, as it does for later stages.
  static std::string whole_name(const StagePlan& stage, std::string_view model) {
    for (const Slot& slot : stage.spec.slots) {
      if (slot.name == "model" && slot.spec != nullptr && slot.spec->name == model) return stage.name;
      if (slot.kind != "model" || slot.stage.empty()) continue;
      std::string option = slot.name;
      std::replace(option.begin(), option.end(), '/', '.');
      const json::value* written = find_value(stage.spec.options, option);
      if (written != nullptr && written->is_object()) written = written->get_object().if_contains("of");
      if (written != nullptr && written->is_string() && written->get_string() == model) return slot.stage;
    }
    return std::string(model);
  }

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
  const StageFolder& folder_of(const std::string& stage) const { return outlook_[index_of(stage)].folder; }

  std::map<std::string, std::string> hashes() const {
    std::map<std::string, std::string> hashes;
    for (size_t i = 0; i < outlook_.size(); ++i) hashes[plan_.stages[i].name] = outlook_[i].content.hash;
    return hashes;
  }

  // The final checkpoint that holds the model of `stage`. A stage that did not train the model it got from an earlier one keeps no copy: the model is
  // then that one's.
  fs::path checkpoint_with_model(const std::string& stage) const {
    const fs::path path = folder_of(stage).final_checkpoint();
    if (Checkpoint::open(path).has("model")) return path;
    for (const Slot& slot : plan_.stages[index_of(stage)].spec.slots)
      if (slot.name == "model" && !slot.stage.empty()) return checkpoint_with_model(slot.stage);
    return path;
  }

  // What is read of finished stages must be there: found now, rather than when earlier stages have been trained.
  void check_inputs(const Spec& spec) const {
    for (const Slot& slot : spec.slots) {
      if (slot.stage.empty()) {
        if (slot.spec != nullptr) check_inputs(*slot.spec);
      } else if (!slot.rows.empty()) {
        const StageOutlook& made = outlook_[index_of(slot.stage)];
        if (made.status == Status::kKept && !fs::exists(made.folder.rows(slot.rows)))
          throw UserError(slot.mark, no_rows(slot.stage, slot.rows));
      } else {
        check_model_of(slot.stage);
      }
    }
  }

  void check_rows(const StagePlan& stage) const {
    Diagnostics mistakes;
    check_first_rows(plan_, stage, mistakes);
    if (!mistakes.has_errors()) return;
    const Diagnostic first = mistakes.sorted().front();
    throw UserError(first.mark, first.path + ": " + first.message);
  }

  // Throws RunError for a finished stage whose model cannot be read. One that kept none has that of a stage before it.
  void check_model_of(const std::string& stage) const {
    if (outlook_[index_of(stage)].status != Status::kKept) return;
    if (Checkpoint::open(folder_of(stage).final_checkpoint()).has("model")) return;
    for (const Slot& slot : plan_.stages[index_of(stage)].spec.slots)
      if (slot.name == "model" && !slot.stage.empty()) check_model_of(slot.stage);
  }

  std::string no_rows(const std::string& stage, const std::string& rows) const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_of(stage).path() / "rows", error))
      names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return "stage " + stage + " made no rows called \"" + rows + "\"." + did_you_mean(rows, names) +
           (names.empty() ? " It made none" : " It made " + joined(names));
  }

  // The records of the first n stages.
  void assemble(size_t n) {
    std::vector<std::string> names;
    std::vector<StageFolder> folders;
    for (size_t i = 0; i < n; ++i) {
      names.push_back(plan_.stages[i].name);
      folders.push_back(outlook_[i].folder);
    }
    folder_.assemble(folders, names);
  }

  StageReport not_run(size_t i) const {
    const StageOutlook& stage = outlook_[i];
    return {plan_.stages[i].name, stage.content.hash,
            stage.status == Status::kKept ? StageReport::Status::kCached : StageReport::Status::kLeft,
            stage.steps};
  }

  void find_unused(RunReport& report) const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "stages", error)) {
      const bool is_used = std::any_of(outlook_.begin(), outlook_.end(), [&](const StageOutlook& stage) {
        return stage.folder.path() == entry.path();
      });
      if (is_used || !entry.is_directory(error)) continue;
      report.unused.push_back(entry.path());
      report.unused_bytes += tree_bytes(entry.path());
    }
    std::sort(report.unused.begin(), report.unused.end());
  }

  // The content hash has the plugins' versions, not their files: a plugin that was built again under the same version does not run its stages again.
  void find_made_otherwise(RunReport& report) const {
    for (size_t i = 0; i < outlook_.size(); ++i) {
      if (outlook_[i].status != Status::kKept) continue;
      const std::string& name = plan_.stages[i].name;
      for (const std::string& how : outlook_[i].made_otherwise)
        report.made_otherwise.push_back("stage " + name + " is finished and kept, but " + how +
                                        ". To run it and what reads it again: --from " + name +
                                        "; or raise the plugin's version, or start over with --new");
    }
  }

  void find_outdated(RunReport& report) const {
    const std::string& only = options_.choice.only;
    if (only.empty() || !will_run(outlook_[index_of(only)])) return;
    std::vector<std::string> changed{only};
    for (size_t i = index_of(only) + 1; i < outlook_.size(); ++i) {
      const auto reads = [&](const std::string& input) {
        return std::find(changed.begin(), changed.end(), input) != changed.end();
      };
      const StagePlan& stage = plan_.stages[i];
      if (!std::any_of(stage.inputs.begin(), stage.inputs.end(), reads)) continue;
      changed.push_back(stage.name);
      if (outlook_[i].status == Status::kKept) report.outdated.push_back(stage.name);
    }
  }

  // What was begun and cannot go on, or was finished and would be made again, is not what `resume` is for.
  void refuse_changes() const {
    std::string changes, first;
    for (size_t i = 0; i < outlook_.size(); ++i) {
      if (!outlook_[i].changed_since_begun) continue;
      std::vector<Reason> direct;
      for (const Reason& reason : outlook_[i].why)
        if (is_change(reason) && reason.kind != Reason::Kind::kStage) direct.push_back(reason);
      if (direct.empty()) continue;
      if (first.empty()) first = plan_.stages[i].name;
      changes += "\n  stage " + plan_.stages[i].name + ": " + reasons_text(direct);
    }
    if (changes.empty()) return;
    throw UserError(folder_.shown() + " cannot go on: what its stages were begun with has changed since:" +
                    changes + "\n  Put that back as it was, or run stage " + first +
                    " and what depends on it again with: tenon run " + plan_.config_path.string() +
                    " --name " + plan_.name);
  }

  // Last stages first: if this is cut off, what reads a stage that was not set aside yet runs again, never the other way round.
  void set_aside(RunReport& report) {
    for (size_t i = outlook_.size(); i-- > 0;) {
      if (!outlook_[i].set_aside) continue;
      report.set_aside_bytes += tree_bytes(outlook_[i].folder.path());
      report.set_aside.push_back(folder_.set_aside(outlook_[i].folder));
    }
    std::reverse(report.set_aside.begin(), report.set_aside.end());
  }

  void log_findings(const RunReport& report) {
    for (const std::string& warning : report.made_otherwise) services_.log->warn(warning);
    if (const std::string again = stages_again(); !again.empty()) services_.log->warn(again);
    for (const fs::path& path : report.set_aside)
      services_.log->info("set aside, because the stage runs again: {}; to delete it: rm -r '{}'",
                          path.string(), path.string());
    if (!report.outdated.empty())
      services_.log->warn(
          "{} runs again alone; kept as they were, from its earlier result: {}. To run them again: --from {}",
          options_.choice.only, joined(report.outdated), options_.choice.only);
    if (!report.unused.empty()) log_unused(report);
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
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

  // Which stages were finished with something else and run again, and why; empty: none does.
  std::string stages_again() const {
    std::string stages;
    for (size_t i = 0; i < outlook_.size(); ++i) {
      if (outlook_[i].status != Status::kRuns) continue;
      const std::string& name = plan_.stages[i].name;
      const std::vector<fs::path> others = other_folders(folder_.path(), name, outlook_[i].folder);
      if (std::none_of(others.begin(), others.end(),
                       [](const fs::path& f) { return fs::exists(f / "done.json"); }))
        continue;
      stages += "\n  " + name + ": " + reasons_text(outlook_[i].why);
    }
    if (stages.empty()) return "";
    return "run again:" + stages + "\n  The records of " + folder_.shown() +
           " become those of this configuration; its earlier stages stay in their folders (--name NAME keeps "
           "both)";
  }

  // Says so when a stage that was interrupted does not go on because what it depends on has changed.
  void warn_of_abandoned(const std::string& stage, const StageOutlook& now) {
    for (const fs::path& folder : other_folders(folder_.path(), stage, now.folder)) {
      if (fs::exists(folder / "done.json") || !fs::exists(folder / "checkpoints")) continue;
      services_.log->warn(
          "stage {} starts from its beginning: it was interrupted, and changed since ({}); that part stays "
          "in {}",
          stage, reasons_text(now.why), folder.string());
    }
  }

  StageReport run_stage(size_t i, Sinks& sinks) {
    const StagePlan& stage = plan_.stages[i];
    const StageOutlook& now = outlook_[i];
    const StageFolder& folder = now.folder;
    if (!will_run(now)) {
      if (now.status == Status::kKept)
        sinks.event(TENON_EVENT_STAGE_CACHED, stage.name,
                    "finished before, and nothing it depends on has changed");
      assemble(i + 1);  // an earlier stage may have run again
      return not_run(i);
    }
    if (StopSignals::requested())
      throw RunStopped("stopped before " + stage.name + "; go on with: tenon resume " + folder_.shown());
    const std::optional<Checkpoint> resume = prepare_stage_folder(folder);
    if (!resume) warn_of_abandoned(stage.name, now);
    record_content(folder, now.content);
    if (resume)
      for (const std::string& how :
           made_otherwise(resume->manifest().if_contains("made_with"), made_with(stage.spec)))
        services_.log->warn(
            "stage {} goes on, but what is there of it {}: what follows may differ from an "
            "uninterrupted run. To run it from its beginning: --from {}",
            stage.name, how, stage.name);
    assemble(i + 1);

    uint64_t first_sample_id = 0;
    for (const std::string& input : stage.inputs)
      first_sample_id =
          std::max(first_sample_id, folder_of(input).done()->at("sample_id").to_number<uint64_t>());
    const StageInputs inputs{[&](const std::string& name) { return checkpoint_with_model(name); },
                             [&](const std::string& name, const std::string& rows) {
                               const fs::path file = folder_of(name).rows(rows);
                               if (!fs::exists(file))
                                 throw UserError(mark_of(stage.spec, name, rows), no_rows(name, rows));
                               return file;
                             }};
    services_.output_folder = folder.artifacts().string();
    StageRun run({services_, stage, now.content.hash, folder_, folder, sinks, inputs,
                  plan_.max_reward_failures, plan_.reward_timeout, first_sample_id,
                  plan_.checkpoint_interval});
    run.run(resume);
    assemble(i + 1);
    return {stage.name, now.content.hash, resume ? StageReport::Status::kResumed : StageReport::Status::kRan,
            run.steps()};
  }

  // Where these rows are named; the component's own place if nowhere.
  static Mark mark_of(const Spec& spec, const std::string& stage, const std::string& rows) {
    for (const Slot& slot : spec.slots) {
      if (slot.stage == stage && slot.rows == rows) return slot.mark;
      if (slot.spec == nullptr || !slot.stage.empty()) continue;
      if (const Mark mark = mark_of(*slot.spec, stage, rows); mark != slot.spec->mark) return mark;
    }
    return spec.mark;
  }

  const Plan& plan_;
  RunFolder& folder_;
  ThreadPool pool_;
  HostServices services_;
  RunOptions options_;
  std::vector<StageOutlook> outlook_;
};

}  // namespace

RunReport run_pipeline(const Plan& plan, RunFolder& folder, const RunOptions& options) {
  std::optional<Pipeline> pipeline;
  try {
    pipeline.emplace(plan, folder);
    if (folder.exists()) folder.lock();
  } catch (const RunError& e) {
    throw UserError(e.what());
  }
  return pipeline->run(options);
}

void try_components(const Plan& plan, Diagnostics& diagnostics) {
  RunFolder folder(plan.runs / plan.name);
  try {
    Pipeline pipeline(plan, folder);
    pipeline.look({});
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
