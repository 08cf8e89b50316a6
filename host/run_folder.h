// The folder of a run, and the folders of its stages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/files.h"
#include "host/plan.h"

namespace tenon::host {

// What a run records step by step. Each stage has these files in its own folder: they are what counts, and what a checkpoint knows the lengths of. The
// files of the same names in the run's folder are those of its stages, one after the other in the order of the pipeline; they grow as the run goes on.
inline constexpr std::array<const char*, 3> kRecordFiles{"metrics.jsonl", "timings.jsonl", "samples.jsonl"};

// <run>/stages/<stage>-<first 12 digits of its hash>/
class StageFolder {
 public:
  StageFolder(const std::filesystem::path& run, const std::string& stage, const std::string& hash);
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path artifacts() const { return path_ / "artifacts"; }  // tenon_stage_io.folder
  // What people have worked on for the stage: it stays when the stage starts again from its beginning.
  std::filesystem::path kept() const { return artifacts() / "kept"; }
  std::filesystem::path rows(const std::string& name) const { return path_ / "rows" / (name + ".jsonl"); }
  // done.json, which is written last: {"stage", "hash", "steps", "sample_id", "checkpoint", "made_with"}; nothing: the stage is not finished, or lost_checkpoint().
  std::optional<boost::json::object> done() const;
  // Whether the stage was finished and the checkpoint that it ended with is not there any more.
  bool lost_checkpoint() const;
  // eval.json: model → benchmark → metric → number or null; nothing: there is none. Throws RunError that names a damaged one.
  std::optional<boost::json::object> results() const;
  // The final checkpoint of a finished stage; throws RunError if there is none.
  std::filesystem::path final_checkpoint() const;

 private:
  std::optional<boost::json::object> done_record() const;
  bool has_checkpoint_of(const boost::json::object& done) const;

  std::string stage_;
  std::filesystem::path path_;
};

// The program and the plugins that a stage's components come from: {"tenon": version, "plugins": {id: {"version", "sha256"}}}. Each checkpoint and done.json
// keep a list of them, "made_with": one, and one more for each time the stage went on with others.
boost::json::object made_with(const Spec& spec);
// What differs between such a list and `now`, as ends of sentences that begin with the stage; nullptr: a list that was not kept.
std::vector<std::string> made_otherwise(const boost::json::value* then, const boost::json::object& now);

// The folder of a run, absolute, as the user gave it. Throws UserError if there is none.
std::filesystem::path find_run(const std::filesystem::path& given);

class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // As the user would type it: relative to the working directory if it is below.
  std::string shown() const;
  bool exists() const;
  // Takes the lock of an existing folder, or makes the folder. Throws UserError if another process has it. The lock ends with this object, and with
  // the process however it ends.
  void lock();

  // config.yaml and manifest.json: versions and SHA-256 of the program and of every plugin in the plan, seed, machine, threads; as of the last time that a
  // stage was run, and `hashes`, the content hash of each stage. What a finished stage was made with is in its done.json.
  void write_description(const Plan& plan, const std::map<std::string, std::string>& hashes);
  // What write_description was given last; none if that is not recorded. Throws RunError if the manifest is damaged.
  std::map<std::string, std::string> hashes() const;

  // Renames a stage's folder to <run>/set-aside/<its name>-<k>, k the first number that is free, and returns that.
  std::filesystem::path set_aside(const StageFolder& stage);

  // Makes the record files and eval.json those of the given stages, in that order. Files that are right already are not touched.
  void assemble(const std::vector<StageFolder>& stages, const std::vector<std::string>& names);
  // Opens the record files for appending. [until the next assemble]
  OutputFile open_record(size_t which) const {
    return {path_ / kRecordFiles[which], OutputFile::Mode::kAppend};
  }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace tenon::host
