// Checkpoints of a stage: a folder per step, complete or not there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/instance.h"
#include "host/run_error.h"

namespace tenon::host {

// <folder>/<step>/ holds, for each component with state: <key>.safetensors (its tenon.ext.state-tensors/1) and <key>.state (its `save`), and
// manifest.json: who wrote it, the components' ids, versions and state versions, size and SHA-256 of every file, and what the stage adds.
class Checkpoint {
 public:
  // Puts `folder` in order after an interrupted writer: a checkpoint that was about to be replaced is there again, half-written ones are removed.
  static void recover(const std::filesystem::path& folder);
  // The complete one of the highest step below `folder`, which is only read. Throws RunError for a broken manifest.
  static std::optional<Checkpoint> latest(const std::filesystem::path& folder);
  static Checkpoint open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const boost::json::object& manifest() const { return manifest_; }
  uint64_t step() const;
  // Written when the stage had ended; it holds the models and nothing else.
  bool is_final() const;

  // The error of a manifest that says `what` is wrong with it, with what helps.
  RunError unusable(const std::string& what) const;
  // Throws RunError that names the first file whose size or SHA-256 is not the manifest's.
  void verify() const;
  bool has(const std::string& key) const;
  // Restores an instance from `key`: fills its tensors, calls `load`, and tells a model that it was loaded. An optimizer must be bound. Throws RunError.
  void restore(const std::string& key, Instance& instance) const;

 private:
  std::filesystem::path path_;
  boost::json::object manifest_;
};

// Writes one. Until commit() returns, the folder has a temporary name; without commit() it is removed.
class CheckpointWriter {
 public:
  // Into <folder>/<step>/, which is replaced if it is there.
  CheckpointWriter(const std::filesystem::path& folder, uint64_t step, bool is_final);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Writes the instance's state under `key`; nothing if it has none. Throws RunError.
  void add(const std::string& key, Instance& instance);
  // What commit will write as manifest.json.
  boost::json::object& manifest() { return manifest_; }
  // Flushes and renames. Throws RunError.
  void commit();

 private:
  std::filesystem::path folder_, temporary_;
  uint64_t step_;
  boost::json::object manifest_;
  bool committed_ = false;
};

// Removes all but the last `keep` that are not final.
void prune_checkpoints(const std::filesystem::path& folder, size_t keep);

}  // namespace tenon::host
