// The stage `export`: a model as files that other programs open.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "stage_support/step.h"
#include "tenon/stage.hpp"

namespace {

namespace fs = std::filesystem;

constexpr const char* kDtypes[] = {"f32", "bf16", "f16", nullptr};

class Export {
 public:
  explicit Export(tenon::Host host)
      : host_(host),
        model_(host.get_component<tenon::Model>("model")),
        folder_(host.str("folder")),
        dtype_(host.str("dtype")) {
    writer_ = host.get_extension<tenon_export>("model", "model", TENON_EXT_EXPORT).first;
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.str("folder").empty()) findings.error("folder", "the name of the folder is empty");
  }

  // The files are written beside their place and then moved there, so that the folder is complete or not there.
  void run(const tenon_call* call, const tenon::StageIo& io) {
    io.begin(1);
    if (io.first_step() > 0) return;
    fs::path target = fs::path(io.folder()) / folder_,
             temporary = target;  // an absolute folder_ replaces the stage's
    temporary += ".part";
    if (fs::exists(target) && !(fs::is_directory(target) && fs::is_empty(target)))
      throw tenon::Error(TENON_E_INVALID,
                         "the folder " + target.string() +
                             " exists already and is not empty: name another one in `folder`, or remove it");
    tenon_call now = tenon::stages::at_step(call, 0);
    try {
      fs::remove_all(temporary);
      fs::create_directories(temporary);
      tenon::ErrorBuffer err;
      err.check(writer_->write(model_.ref()->self, &now, temporary.c_str(), dtype_.c_str(), err));
      if (fs::is_empty(temporary)) throw tenon::Error(TENON_E_INTERNAL, "the model wrote no file");
      fs::remove(target);
      fs::rename(temporary, target);
    } catch (const fs::filesystem_error& e) {
      throw tenon::Error(TENON_E_IO, std::string("cannot write the export: ") + e.what());
    }
    host_.info("exported to " + target.string());
    host_.metric("files", static_cast<double>(
                              std::distance(fs::directory_iterator(target), fs::directory_iterator())));
    io.step_end(0);
  }

 private:
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
