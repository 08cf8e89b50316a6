// The stage `export`: a model as files that other programs open.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "stage_support/step.h"
#include "tenon/stage.hpp"

namespace {

namespace fs = std::filesystem;

constexpr const char* kDtypes[] = {"f32", "bf16", "f16", nullptr};

// In an export outside the run: the output folder of the stage that wrote it, so that a stage which was interrupted knows its own work again.
constexpr const char* kMarker = ".tenon-export";

// Whether there is something at `target` that would be lost.
bool is_taken(const fs::path& target) {
  return fs::exists(target) && !(fs::is_directory(target) && fs::is_empty(target));
}

// What the marker in `target` says; "" without one.
std::string owner_of(const fs::path& target) {
  std::string owner;
  std::ifstream in(target / kMarker);
  std::getline(in, owner);
  return owner;
}

std::string taken_text(const fs::path& target) {
  return "folder: " + target.string() +
         " exists already and is not empty, and this stage did not write it: name another one, or remove it";
}

// What was written to a file or folder is on the disk.
void sync(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!is_synced) throw fs::filesystem_error("fsync", path, std::error_code(error, std::generic_category()));
}

void sync_all(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() || entry.is_directory()) sync(entry.path());
  sync(folder);
}

class Export {
 public:
  explicit Export(tenon::Host host)
      : host_(host),
        model_(host.get_component<tenon::Model>("model")),
        folder_(host.str("folder")),
        dtype_(host.str("dtype")) {
    writer_ = host.get_extension<tenon_export>("model", "model", TENON_EXT_EXPORT).first;
    if (const auto output = tenon::output_folder(host); output && is_outside())
      if (is_taken(folder_) && owner_of(folder_) != *output)
        throw tenon::Error(TENON_E_INVALID, taken_text(folder_));
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.str("folder").empty()) findings.error("folder", "the name of the folder is empty");
  }

  // The files are written beside their place and then moved there, so that the folder is complete or not there, also after a power cut.
  void run(const tenon_call* call, const tenon::StageIo& io) {
    io.begin(1);
    if (io.first_step() > 0) return;
    fs::path target = fs::path(io.folder()) / folder_,
             temporary = target;  // an absolute folder_ replaces the stage's
    temporary += ".part";
    if (is_taken(target) && owner_of(target) != io.folder())
      throw tenon::Error(TENON_E_INVALID, taken_text(target));
    tenon_call now = tenon::stages::at_step(call, 0);
    try {
      fs::remove_all(temporary);
      fs::create_directories(temporary);
      tenon::ErrorBuffer err;
      err.check(writer_->write(model_.ref()->self, &now, temporary.c_str(), dtype_.c_str(), err));
      if (fs::is_empty(temporary)) throw tenon::Error(TENON_E_INTERNAL, "the model wrote no file");
      host_.metric("files", static_cast<double>(
                                std::distance(fs::directory_iterator(temporary), fs::directory_iterator())));
      if (is_outside()) mark(temporary, io.folder());
      sync_all(temporary);
      fs::remove_all(target);
      fs::rename(temporary, target);
      sync(target.parent_path());
    } catch (const fs::filesystem_error& e) {
      throw tenon::Error(TENON_E_IO, std::string("cannot write the export: ") + e.what());
    }
    host_.info("exported to " + target.string());
    io.step_end(0);
  }

 private:
  bool is_outside() const { return fs::path(folder_).is_absolute(); }
  static void mark(const fs::path& folder, const std::string& owner) {
    std::ofstream out(folder / kMarker);
    out << owner << "\n";
    out.close();
    if (!out) throw tenon::Error(TENON_E_IO, "cannot write " + (folder / kMarker).string());
  }

  tenon::Host host_;
  tenon::Model model_;
  std::string folder_, dtype_;
  const tenon_export* writer_;
};

}  // namespace

TENON_STAGE_PLUGIN(
    Export, "export", "0.1.0",
    "Writes a model as files that other programs open (safetensors, configuration, tokenizer).",
    tenon::reference("model", "model", nullptr, "What is written; `from` fills it in.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::text("folder", "\"export\"",
                "Where to: a folder that does not exist or is empty, below the stage's own or absolute."),
    tenon::choice("dtype", kDtypes, "\"f32\"", "Of the weights in the files."))
