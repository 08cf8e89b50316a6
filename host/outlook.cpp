// What a run would do with each stage of a plan, and why.
// SPDX-License-Identifier: Apache-2.0
#include "host/outlook.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <set>

#include "host/checkpoint.h"
#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/run_error.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using Status = StageOutlook::Status;
using Kind = Reason::Kind;

constexpr size_t kHashDigits = 12;  // of a folder's name

fs::path record_file(const fs::path& stage_folder) {
  return stage_folder / "depends_on.json";
}

Reason reason(Kind kind, std::string what, std::string text) {
  return {kind, std::move(what), "", "", std::move(text)};
}

// `starts` and all stages that read one of these, directly or through others.
std::vector<bool> with_readers(const Plan& plan, const std::vector<size_t>& starts) {
  std::vector<bool> in(plan.stages.size(), false);
  for (const size_t start : starts) in[start] = true;
  for (size_t i = 0; i < in.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      in[i] = in[i] || (in[k] && std::count(plan.stages[i].inputs.begin(), plan.stages[i].inputs.end(),
                                            plan.stages[k].name) > 0);
  return in;
}

// The stages that a name on the command line means: one of that name; "loop", "loop.2": all stages of a loop, or of a round of it; "loop.rl": that of the last
// round. No name has a point in it, but for those that a loop makes.
std::vector<size_t> indices_of(const Plan& plan, const std::string& given, const char* option) {
  std::vector<std::string> names;
  std::string all;
  std::vector<size_t> below, rounds;
  const size_t point = given.find('.');
  const std::string loop = given.substr(0, point) + ".", stage = given.substr(point + 1);
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const std::string& name = plan.stages[i].name;
    if (name == given) return {i};
    if (name.starts_with(given + ".")) below.push_back(i);
    if (point != std::string::npos && name.starts_with(loop) && name.substr(name.rfind('.') + 1) == stage)
      rounds.push_back(i);
    names.push_back(name);
    all += (all.empty() ? "" : ", ") + name;
  }
  if (!rounds.empty()) return {rounds.back()};
  if (!below.empty()) return below;
  throw UserError(std::string(option) + " " + given + ": there is no such stage." +
                  did_you_mean(given, names) + " The pipeline has " + all);
}

size_t only_stage(const Plan& plan, const std::string& given) {
  const std::vector<size_t> stages = indices_of(plan, given, "--only");
  if (stages.size() == 1) return stages[0];
  std::string all;
  for (const size_t i : stages) all += (all.empty() ? "" : ", ") + plan.stages[i].name;
  throw UserError("--only " + given + ": it takes one stage, and these are " + std::to_string(stages.size()) +
                  ": " + all + ". --from " + given + " runs them and what reads them");
}

class Outlook {
 public:
  Outlook(const Plan& plan, const fs::path& run, const StageChoice& choice)
      : plan_(plan), run_(run), choice_(choice), last_(RunFolder(run).hashes()) {
    if (!choice.from.empty() && !choice.only.empty())
      throw UserError("--from and --only: give one of them; --from " + choice.from +
                      " runs that stage and all "
                      "that read it, --only " +
                      choice.only + " that stage alone");
    const size_t n = plan.stages.size();
    asked_.assign(n, true);
    forced_.assign(n, choice.force);
    if (!choice.from.empty()) {
      const std::vector<size_t> starts = indices_of(plan, choice.from, "--from");
      from_ = {starts.begin(), starts.end()};
      forced_ = with_readers(plan, starts);
    }
    if (choice.only.empty()) return;
    only_ = only_stage(plan, choice.only);
    asked_.assign(n, false), forced_.assign(n, false);
    asked_[only_] = true, forced_[only_] = choice.force;
  }

  std::vector<StageOutlook> look() {
    std::map<std::string, StageContent> contents = content_of_stages(plan_);
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      const std::string& name = plan_.stages[i].name;
      StageContent& content = contents.at(name);
      const StageFolder folder(run_, name, content.hash);
      StageOutlook stage(std::move(content), folder);
      look_at(i, stage);
      all_.push_back(std::move(stage));
    }
    if (!choice_.only.empty()) check_inputs(only_);
    return std::move(all_);
  }

 private:
  void look_at(size_t i, StageOutlook& stage) {
    const json::object made = made_with(plan_.stages[i].spec);
    const std::optional<json::object> done = stage.folder.done();
    const bool is_forced = forced_[i];
    if (done && !is_forced) {
      stage.status = Status::kKept;
      stage.steps = done->at("steps").to_number<uint64_t>();
      stage.made_otherwise = made_otherwise(done->if_contains("made_with"), made);
      return;
    }
    if (!asked_[i]) {
      stage.status = Status::kLeft;
      return;
    }
    const std::optional<Checkpoint> kept =
        done ? std::nullopt : Checkpoint::latest(stage.folder.checkpoints());
    if (is_forced && (done || kept)) {
      stage.set_aside = true;
      stage.why = {reason(Kind::kForced, "",
                          choice_.from.empty() ? "--force asks for it"
                          : from_.contains(i)  ? "--from " + choice_.from + " asks for it"
                                               : "it reads what --from " + choice_.from + " runs again")};
    } else if (kept) {
      stage.status = Status::kGoesOn;
      stage.steps = kept->step();
      stage.why = {reason(Kind::kInterrupted, "",
                          stage.folder.lost_checkpoint()
                              ? "it was finished, but its final checkpoint is not there any more"
                              : "it was interrupted")};
      stage.made_otherwise = made_otherwise(kept->manifest().if_contains("made_with"), made);
    } else {
      stage.why = reasons(i, stage);
      const auto last = last_.find(plan_.stages[i].name);
      stage.changed_since_begun = last != last_.end() && last->second != stage.content.hash &&
                                  fs::exists(StageFolder(run_, last->first, last->second).path());
    }
  }

  // Why there is nothing of the stage that could be kept or gone on with.
  std::vector<Reason> reasons(size_t i, const StageOutlook& stage) const {
    const std::string& name = plan_.stages[i].name;
    if (stage.folder.lost_checkpoint())
      return {
          reason(Kind::kInterrupted, "", "it was finished, but its final checkpoint is not there any more")};
    if (fs::exists(stage.folder.path()))
      return {reason(Kind::kInterrupted, "", "it was interrupted before its first checkpoint")};
    const std::vector<fs::path> others = other_folders(run_, name, stage.folder);
    const std::optional<fs::path> before = compared(name, others);
    if (!before)
      return {others.empty()
                  ? reason(Kind::kNew, "", "it has not run yet")
                  : reason(Kind::kUnrecorded, "", "it ran with something else, of which no record was kept")};
    const fs::path file = record_file(*before);
    json::object record;
    try {
      record = json::parse(read_file(file)).as_object();
    } catch (const std::exception& e) {
      throw RunError(file.string() + ": not what a stage depended on: " + e.what() + ". Remove the file");
    }
    std::vector<Reason> why = content_changes(record, content_record(stage.content), file.string());
    for (Reason& r : why)
      if (r.kind == Kind::kStage && runs(r.what)) r.text = "stage " + r.what + " runs again";
    if (why.empty())
      why.push_back(
          reason(Kind::kUnrecorded, "", "what it depends on changed in a way that has no name here"));
    return why;
  }

  // Of the folders of a stage that has another content, the one to compare with: that of the last run, else the one that was begun last.
  std::optional<fs::path> compared(const std::string& stage, const std::vector<fs::path>& others) const {
    std::optional<fs::path> best;
    const auto last = last_.find(stage);
    for (const fs::path& folder : others) {
      if (!fs::exists(record_file(folder))) continue;
      if (last != last_.end() && folder == StageFolder(run_, stage, last->second).path()) return folder;
      if (!best || fs::last_write_time(record_file(folder)) > fs::last_write_time(record_file(*best)))
        best = folder;
    }
    return best;
  }

  bool runs(const std::string& stage) const {
    for (size_t i = 0; i < all_.size(); ++i)
      if (plan_.stages[i].name == stage) return all_[i].status != Status::kKept;
    return false;
  }

  // That --only has what it starts from.
  void check_inputs(size_t only) const {
    if (all_[only].status == Status::kKept) return;
    std::string missing;
    size_t first = only, n = 0;
    for (size_t i = 0; i < only; ++i) {
      const auto& inputs = plan_.stages[only].inputs;
      if (all_[i].status == Status::kKept ||
          std::count(inputs.begin(), inputs.end(), plan_.stages[i].name) == 0)
        continue;
      missing += (n++ == 0 ? "" : ", ") + plan_.stages[i].name;
      first = std::min(first, i);
    }
    if (n == 0) return;
    throw UserError("--only " + choice_.only + ": it reads " + (n == 1 ? "stage " : "stages ") + missing +
                    ", which " + (n == 1 ? "is" : "are") + " not finished. First run " +
                    (n == 1 ? "it" : "them") + ", with --only " + plan_.stages[first].name +
                    ", or leave --only out, which runs all that is needed");
  }

  const Plan& plan_;
  const fs::path run_;
  const StageChoice& choice_;
  const std::map<std::string, std::string> last_;
  std::vector<bool> asked_, forced_;
  std::set<size_t> from_;  // what --from names
  size_t only_ = 0;
  std::vector<StageOutlook> all_;
};

}  // namespace

std::string only_stage_name(const Plan& plan, const StageChoice& choice) {
  return choice.only.empty() ? "" : plan.stages[only_stage(plan, choice.only)].name;
}

std::vector<StageOutlook> outlook(const Plan& plan, const fs::path& run, const StageChoice& choice) {
  return Outlook(plan, run, choice).look();
}

const char* status_name(Status status) {
  switch (status) {
    case Status::kKept:
      return "finished";
    case Status::kGoesOn:
      return "goes on";
    case Status::kRuns:
      return "runs";
    case Status::kLeft:
      return "left out";
  }
  return "";
}

void record_content(const StageFolder& folder, const StageContent& content) {
  const fs::path file = record_file(folder.path());
  if (!fs::exists(file)) write_file(file, json_pretty(content_record(content)));
}

std::vector<fs::path> other_folders(const fs::path& run, const std::string& stage, const StageFolder& now) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run / "stages", error)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == stage.size() + 1 + kHashDigits && name.starts_with(stage + "-") &&
        entry.path() != now.path() && entry.is_directory(error))
      folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace tenon::host
