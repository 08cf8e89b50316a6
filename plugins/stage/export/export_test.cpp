// The folder is complete or not there.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A model that exports, and fails after the first file if it is told to.
struct ExportingModel : HashModel {
  using HashModel::HashModel;
  static int32_t write(void* self, const tenon_call*, const char* folder, const char* dtype,
                       tenon_error* err) {
    return guard(err, [&] {
      std::ofstream(fs::path(folder) / "config.json") << "{\"dtype\":\"" << dtype << "\"}";
      if (static_cast<ExportingModel*>(self)->fails) throw Error(TENON_E_IO, "disk full");
      std::ofstream(fs::path(folder) / "model.safetensors") << "weights";
    });
  }
  const void* extension(std::string_view id) const {
    static constexpr tenon_export table{sizeof(tenon_export), 0, write};
    return id == TENON_EXT_EXPORT ? &table : nullptr;
  }
  bool fails = false;
};

class Export : public ::testing::Test {
 protected:
  Export() { fs::create_directories(output); }
  ~Export() override { fs::remove_all(output); }
  std::string run(const std::string& options = "{}") {
    FakeHost host(plugin_component(), options);
    FakeIo io(host, output.string());
    if (told) host.output_folder = *told;
    if (stops) io.on_step = [](uint64_t) { throw Error(TENON_E_INTERNAL, "killed"); };
    ExportingModel model(host, 4, 8);
    model.fails = fails;
    host.slot("model", ref_to<ModelShim<HashModel>>(static_cast<HashModel&>(model), "hash"));
    tenon_ref ref = ref_to<ModelShim<ExportingModel>>(model, "exporting");
    if (exports) host.slot("model", ref);
    try {
      run_stage(plugin_component(), host, io);
      files = io.steps.at(0).metric("files");
    } catch (const Error& e) {
      return e.what();
    }
    return "ok";
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  fs::path output = fs::temp_directory_path() / ("tenon_export_test_" + std::to_string(::getpid()));
  double files = 0;
  bool fails = false, exports = true, stops = false;
  std::optional<std::string> told;  // the output folder that the host tells beforehand
};

TEST_F(Export, WritesIntoTheStagesFolder) {
  EXPECT_EQ(run(R"({"dtype": "bf16"})"), "ok");
  EXPECT_EQ(read(output / "export" / "config.json"), "{\"dtype\":\"bf16\"}");
  EXPECT_EQ(read(output / "export" / "model.safetensors"), "weights");
  EXPECT_FALSE(fs::exists(output / "export.part"));
}

TEST_F(Export, AnAbsoluteFolderIsTakenAsItIs) {
  fs::path there = output / "elsewhere";
  EXPECT_EQ(run("{\"folder\": \"" + there.string() + "\"}"), "ok");
  EXPECT_TRUE(fs::exists(there / "config.json"));
}

TEST_F(Export, AFailureLeavesNoFolder) {
  fails = true;
  EXPECT_THAT(run(), HasSubstr("disk full"));
  EXPECT_FALSE(fs::exists(output / "export"));
  fails = false;
  EXPECT_EQ(run(), "ok");
}

TEST_F(Export, OverwritesNothing) {
  fs::create_directories(output / "export");
  EXPECT_EQ(run(), "ok") << "an empty folder is no loss";
  EXPECT_THAT(run(), HasSubstr("exists already and is not empty"));
}

TEST_F(Export, InterruptedItKnowsItsOwnWorkAgain) {
  const fs::path there = output / "elsewhere";
  const std::string options = "{\"folder\": \"" + there.string() + "\"}";
  stops = true;
  EXPECT_THAT(run(options), HasSubstr("killed")) << "after the folder was moved into its place";
  EXPECT_TRUE(fs::exists(there / "model.safetensors"));
  stops = false;
  std::ofstream(there / "model.safetensors") << "older";
  told = output.string();
  EXPECT_EQ(run(options), "ok");
  EXPECT_EQ(read(there / "model.safetensors"), "weights");
}

TEST_F(Export, AnAbsoluteFolderOfSomebodyElseIsAnErrorBeforeTheRun) {
  const fs::path there = output / "elsewhere";
  const std::string options = "{\"folder\": \"" + there.string() + "\"}";
  EXPECT_EQ(run(options), "ok");
  EXPECT_EQ(files, 2) << "the marker is not counted";
  FakeHost host(plugin_component(), options);
  ExportingModel model(host, 4, 8);
  host.slot("model", ref_to<ModelShim<ExportingModel>>(model, "exporting"));
  host.output_folder = output.string();
  EXPECT_NO_THROW(Instance(plugin_component(), host)) << "its own";
  host.output_folder = "/runs/x/stages/out-of-another-configuration/artifacts";
  try {
    Instance(plugin_component(), host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("folder: " + there.string() + " exists already"));
  }
  fs::remove(there / ".tenon-export");
  EXPECT_THAT(run(options), HasSubstr("exists already")) << "nobody's";
}

TEST_F(Export, AModelWithoutTheExtensionIsAnError) {
  exports = false;
  EXPECT_THAT(run(), HasSubstr("model hash has no extension tenon.ext.export/1"));
}

}  // namespace
}  // namespace tenon::test
