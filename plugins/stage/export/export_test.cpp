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
    ExportingModel model(host, 4, 8);
    model.fails = fails;
    host.slot("model", ref_to<ModelShim<HashModel>>(static_cast<HashModel&>(model), "hash"));
    tenon_ref ref = ref_to<ModelShim<ExportingModel>>(model, "exporting");
    if (exports) host.slot("model", ref);
    try {
      run_stage(plugin_component(), host, io);
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
  bool fails = false, exports = true;
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

TEST_F(Export, AModelWithoutTheExtensionIsAnError) {
  exports = false;
  EXPECT_THAT(run(), HasSubstr("model hash has no extension tenon.ext.export/1"));
}

}  // namespace
}  // namespace tenon::test
