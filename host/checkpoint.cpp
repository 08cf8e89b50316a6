// Checkpoints of a stage.
// SPDX-License-Identifier: Apache-2.0
#include "host/checkpoint.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>

#include "host/command_line.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/run_error.h"
#include "host/safetensors.h"
#include "host/sha256.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// 2: `windows` has reasons, which 1 had not.
constexpr int kFormat = 2, kOldestFormat = 1;
constexpr const char* kTemporary = ".tmp-";
// A checkpoint that another of the same step is about to replace.
constexpr const char* kReplaced = ".tmp-replaced-";

bool is_number(const std::string& s) {
  return !s.empty() && s.size() < 19 &&
         std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The steps of all complete checkpoints, ascending.
std::vector<uint64_t> steps_in(const fs::path& folder) {
  std::vector<uint64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_number(entry.path().filename().string()))
      steps.push_back(std::stoull(entry.path().filename().string()));
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::vector<TensorView> state_tensors(Instance& instance) {
  std::vector<TensorView> views;
  const auto* ext = static_cast<const tenon_state_tensors*>(instance.extension(TENON_EXT_STATE_TENSORS));
  if (ext == nullptr) return views;
  const uint64_t n = ext->count(instance.self());
  for (uint64_t i = 0; i < n; ++i) {
    const char* name = nullptr;
    DLTensor tensor{};
    ErrorBuffer err;
    try {
      err.check(ext->tensor(instance.self(), i, &name, &tensor, err));
    } catch (const Error& e) {
      throw RunError(instance.place() + ": state tensor " + std::to_string(i) + ": " + e.what());
    }
    views.push_back(tensor_view(name, tensor, instance.place()));
  }
  return views;
}

// A tenon_writer into a file and its hash.
struct BlobFile {
  OutputFile file;
  Sha256 hash;
  std::string failure;

  static int32_t write(void* ctx, const void* bytes, uint64_t n) {
    auto& blob = *static_cast<BlobFile*>(ctx);
    try {
      blob.file.write(bytes, n);
      blob.hash.update(bytes, n);
      return TENON_OK;
    } catch (const std::exception& e) {
      blob.failure = e.what();
      return TENON_E_IO;
    }
  }
};

// A tenon_reader of a text.
struct BlobText {
  std::string text;
  size_t at = 0;

  static int64_t read(void* ctx, void* bytes, uint64_t n) {
    auto& blob = *static_cast<BlobText*>(ctx);
    const size_t take = std::min<size_t>(n, blob.text.size() - blob.at);
    std::memcpy(bytes, blob.text.data() + blob.at, take);
    blob.at += take;
    return static_cast<int64_t>(take);
  }
};

// What helps when the checkpoint at `path`, in <stage>/checkpoints/, cannot be used.
std::string way_out(const fs::path& path) {
  const fs::path stage = path.parent_path().parent_path();
  if (fs::exists(stage / "done.json"))
    return ". Its stage is finished, and nothing else has these weights: remove " + stage.string() +
           " and run the configuration again, which runs that stage again";
  const std::string name = path.filename().string();
  const std::vector<uint64_t> steps = steps_in(path.parent_path());
  const bool is_only =
      std::none_of(steps.begin(), steps.end(), [&](uint64_t step) { return std::to_string(step) != name; });
  return ". Remove " + path.string() +
         (is_only ? " to begin its stage again" : " to go on from the checkpoint before it");
}

json::object digest_json(const FileDigest& d) {
  return {{"bytes", d.bytes}, {"sha256", d.sha256}};
}

}  // namespace

void Checkpoint::recover(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with(kTemporary)) unfinished.push_back(entry.path());
  for (const fs::path& path : unfinished) {
    const std::string name = path.filename().string();
    const std::string step = name.starts_with(kReplaced) ? name.substr(std::strlen(kReplaced)) : "";
    // Interrupted between the two renames of CheckpointWriter::commit: the old one is still the one that counts.
    if (is_number(step) && !fs::exists(folder / step)) {
      rename_synced(path, folder / step);
    } else {
      remove_tree(path);
    }
  }
}

std::optional<Checkpoint> Checkpoint::latest(const fs::path& folder) {
  const std::vector<uint64_t> steps = steps_in(folder);
  if (steps.empty()) return std::nullopt;
  return open(folder / std::to_string(steps.back()));
}

Checkpoint Checkpoint::open(const fs::path& path) {
  Checkpoint c;
  c.path_ = path;
  const fs::path file = path / "manifest.json";
  try {
    c.manifest_ = json::parse(read_file(file)).as_object();
    const int format = c.manifest_.at("format").to_number<int>();
    if (format > kFormat) throw RunError("its format is newer than this program");
    if (format < kOldestFormat) throw RunError("its format is no number of a format");
    c.step();
    c.is_final();
    c.manifest_.at("files").as_object();
    c.manifest_.at("components").as_object();
  } catch (const std::exception& e) {
    throw c.unusable(e.what());
  }
  return c;
}

RunError Checkpoint::unusable(const std::string& what) const {
  return RunError((path_ / "manifest.json").string() + ": not a usable checkpoint: " + what + way_out(path_));
}

uint64_t Checkpoint::step() const {
  return manifest_.at("step").to_number<uint64_t>();
}
bool Checkpoint::is_final() const {
  return manifest_.at("final").as_bool();
}

void Checkpoint::verify() const {
  for (const auto& pair : manifest_.at("files").as_object()) {
    const fs::path file = path_ / std::string(pair.key());
    const json::object& want = pair.value().as_object();
    std::error_code error;
    const uint64_t size = fs::file_size(file, error);
    if (error) throw RunError(file.string() + ": " + error.message() + way_out(path_));
    if (size != want.at("bytes").to_number<uint64_t>())
      throw RunError(file.string() + ": has " + std::to_string(size) + " bytes where its manifest says " +
                     json_text(want.at("bytes")) + way_out(path_));
    if (sha256_of_file(file) != want.at("sha256").as_string().c_str())
      throw RunError(file.string() + ": its SHA-256 is not the one in its manifest: the file was damaged" +
                     way_out(path_));
  }
}

bool Checkpoint::has(const std::string& key) const {
  return manifest_.at("components").as_object().contains(key);
}

void Checkpoint::restore(const std::string& key, Instance& instance) const {
  const json::object& entry = manifest_.at("components").as_object().at(key).as_object();
  const tenon_component& component = *instance.spec().component;
  const std::string what = (path_ / "manifest.json").string() + ": component " + key + ": ";
  if (entry.at("id").as_string() != component.id)
    throw RunError(what + "was written by " + entry.at("id").as_string().c_str() +
                   "; the configuration has " + component.id);
  const auto version = entry.at("state_version").to_number<uint32_t>();
  if (version > component.state_version)
    throw RunError(what + "its state has version " + std::to_string(version) + "; this " + component.id +
                   " " + component.version + " reads up to " + std::to_string(component.state_version) +
                   ". Use the newer plugin");
  if (entry.contains("tensors"))
    read_safetensors(path_ / entry.at("tensors").as_string().c_str(), state_tensors(instance));
  try {
    ErrorBuffer err;
    if (entry.contains("state")) {
      if (!TENON_FN(component.life, tenon_life, load)) throw Error(TENON_E_UNSUPPORTED, "cannot load state");
      BlobText blob{read_file(path_ / entry.at("state").as_string().c_str())};
      tenon_reader reader{sizeof reader, 0, &blob, BlobText::read};
      err.check(component.life->load(instance.self(), &reader, version, err));
    }
    if (instance.model() != nullptr && entry.contains("tensors")) {
      const tenon_call call{sizeof call, kDLCPU, 0, 0, step(), 0, nullptr};
      const uint64_t announced = entry.contains("version") ? entry.at("version").to_number<uint64_t>() : 0;
      instance.model()->loaded(&call, announced);
    }
  } catch (const Error& e) {
    throw RunError(what + e.what());
  }
}

CheckpointWriter::CheckpointWriter(const fs::path& folder, uint64_t step, bool is_final)
    : folder_(folder), temporary_(folder / (kTemporary + std::to_string(step))), step_(step) {
  make_folder(folder_);
  remove_tree(temporary_);
  make_folder(temporary_);
  manifest_ = {{"format", kFormat}, {"tenon", version()}, {"step", step}, {"final", is_final}};
  manifest_["components"] = json::object();
  manifest_["files"] = json::object();
}

CheckpointWriter::~CheckpointWriter() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void CheckpointWriter::add(const std::string& key, Instance& instance) {
  const tenon_component& component = *instance.spec().component;
  json::object entry{{"kind", component.kind},
                     {"id", component.id},
                     {"plugin", component.version},
                     {"state_version", component.state_version}};
  bool has_state = false;
  json::object& files = manifest_["files"].as_object();

  if (const std::vector<TensorView> tensors = state_tensors(instance); !tensors.empty()) {
    const std::string name = key + ".safetensors";
    files[name] = digest_json(write_safetensors(temporary_ / name, tensors));
    entry["tensors"] = name;
    has_state = true;
  }
  if (TENON_FN(component.life, tenon_life, save)) {
    const std::string name = key + ".state";
    BlobFile blob{OutputFile(temporary_ / name, OutputFile::Mode::kCreate), {}, {}};
    tenon_writer writer{sizeof writer, 0, &blob, BlobFile::write};
    ErrorBuffer err;
    try {
      err.check(component.life->save(instance.self(), &writer, err));
    } catch (const Error& e) {
      throw RunError(blob.failure.empty() ? instance.place() + ": cannot save its state: " + e.what()
                                          : blob.failure);
    }
    const uint64_t size = blob.file.size();
    blob.file.close();
    files[name] = digest_json({size, blob.hash.hex()});
    entry["state"] = name;
    has_state = true;
  }
  if (!has_state) return;
  if (instance.model() != nullptr) entry["version"] = instance.model()->version();
  manifest_["components"].as_object()[key] = std::move(entry);
}

void CheckpointWriter::commit() {
  write_file(temporary_ / "manifest.json", json_pretty(manifest_));  // flushes the folder, too
  const fs::path target = folder_ / std::to_string(step_);
  const fs::path replaced = folder_ / (kReplaced + std::to_string(step_));
  if (fs::exists(target)) rename_synced(target, replaced);
  rename_synced(temporary_, target);
  committed_ = true;
  remove_tree(replaced);
}

void prune_checkpoints(const fs::path& folder, size_t keep) {
  std::vector<uint64_t> steps = steps_in(folder);
  std::erase_if(steps,
                [&](uint64_t step) { return Checkpoint::open(folder / std::to_string(step)).is_final(); });
  for (size_t i = 0; i + keep < steps.size(); ++i) {
    // Renamed first: a removal that is interrupted leaves no checkpoint without its files.
    const fs::path doomed = folder / (kTemporary + std::to_string(steps[i]));
    rename_synced(folder / std::to_string(steps[i]), doomed);
    remove_tree(doomed);
  }
}

}  // namespace tenon::host
