// Plugin files: which are found, which are refused, and with which words.
// SPDX-License-Identifier: Apache-2.0
#include "host/loader.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "host/diagnostics.h"
#include "host/elf_check.h"
#include "host/sha256.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kPlugins = TENON_FAKE_PLUGINS;
const fs::path kGood = kPlugins / "good/reward.good.so";

std::string refusal(const fs::path& file) {
  try {
    open_plugin(file);
  } catch (const LoadError& e) {
    return e.what();
  }
  return "it was opened";
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Folder : public testing::Test {
 protected:
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() override { fs::remove_all(path); }
  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  fs::path path =
      fs::path(testing::TempDir()) /
      ("tenon_loader_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST(OpenPlugin, OpensAGoodOneOnce) {
  const LoadedPlugin& plugin = open_plugin(kGood);
  EXPECT_STREQ(plugin.descriptor->components[0]->id, "good");
  EXPECT_EQ(&open_plugin(kGood), &plugin);
  EXPECT_EQ(plugin.sha256(), sha256_of(bytes_of(kGood)));
}

TEST(OpenPlugin, RefusesAnotherLevelAndAnotherDraftWithBothNumbers) {
  EXPECT_THAT(refusal(kPlugins / "bad/reward.future.so"),
              AllOf(HasSubstr("reward.future.so was built for ABI level 7"),
                    HasSubstr("this tenon has level 0"), HasSubstr("build the plugin for this one")));
  EXPECT_THAT(refusal(kPlugins / "bad/reward.draft.so"),
              AllOf(HasSubstr("was built for ABI level 0 draft 99"),
                    HasSubstr("has level 0 draft " + std::to_string(TENON_ABI_DRAFT)),
                    HasSubstr("Build the plugin again with this tenon's headers")));
}

TEST(OpenPlugin, RefusesDescriptorsThatAreNotWellFormed) {
  EXPECT_THAT(refusal(kPlugins / "bad/reward.declines.so"), HasSubstr("declines to run in this tenon"));
  EXPECT_THAT(refusal(kPlugins / "bad/reward.kind.so"), HasSubstr("unknown kind \"rewrad\""));
  EXPECT_THAT(refusal(kPlugins / "bad/reward.hollow.so"),
              HasSubstr("has no function at byte 8 of its vtable"));
  EXPECT_THAT(refusal(kPlugins / "bad/reward.default.so"),
              HasSubstr("its reward \"good\" option \"target\" has a default that its own rules refuse: 0 is "
                        "out of range"));
  EXPECT_THAT(refusal(kPlugins / "bad/reward.preset.so"),
              HasSubstr("its reward \"good\" preset \"long\" does not fit the option table: target: 0 is out "
                        "of range"));
}

// A data set's `next` is the host's cursor; a source without an index cannot be one yet.
TEST(CheckDescriptor, RefusesADataSetThatIsAStream) {
  tenon_life life{};
  life.struct_size = sizeof life;
  life.create = [](const tenon_host*, void**, tenon_error*) -> int32_t { return TENON_OK; };
  life.destroy = [](void*) {};
  tenon_dataset_vt vt{};
  vt.struct_size = sizeof vt;
  vt.count = [](void*) -> uint64_t { return 1; };
  const tenon_component component{sizeof component, 0,     "dataset", "stream", "1.0.0", "Rows.", "",
                                  nullptr,          &life, &vt,       1,        0,       nullptr};
  const tenon_component* const components[] = {&component, nullptr};
  const tenon_plugin plugin{sizeof plugin,
                            TENON_ABI_LEVEL,
                            TENON_ABI_LEVEL,
                            TENON_ABI_DRAFT,
                            "stream",
                            "1.0.0",
                            "Tenon",
                            "Apache-2.0",
                            "",
                            "c",
                            nullptr,
                            components};
  auto says = [&] {
    try {
      check_descriptor(&plugin, "stream.so");
    } catch (const LoadError& e) {
      return std::string(e.what());
    }
    return std::string("fine");
  };
  vt.next = [](void*, const tenon_call*, uint64_t, const tenon_row_sink*, tenon_error*) -> int32_t {
    return TENON_END;
  };
  EXPECT_THAT(says(), HasSubstr("its dataset \"stream\" has no function at byte 16 of its vtable"));
  vt.read = [](void*, const tenon_call*, const uint64_t*, uint64_t, const tenon_row_sink*,
               tenon_error*) -> int32_t { return TENON_OK; };
  EXPECT_THAT(says(), HasSubstr("has a function at byte 24 of its vtable, which only the host fills in"));
  vt.next = nullptr;
  EXPECT_EQ(says(), "fine");
}

TEST(OpenPlugin, RefusesALibraryThatIsNotAPlugin) {
  EXPECT_THAT(
      refusal(kPlugins / "bad/reward.library.so"),
      HasSubstr("is a shared library but not a Tenon plugin: it does not export tenon_plugin_query_v1"));
}

TEST_F(Folder, RefusesWhatIsNotASharedLibraryWithoutOpeningIt) {
  EXPECT_THAT(refusal(write("empty.so", "")), HasSubstr("is empty"));
  EXPECT_THAT(refusal(write("text.so", "#!/bin/sh\necho hello\n")),
              HasSubstr("is not a plugin: it does not begin like a shared library"));
  EXPECT_THAT(refusal(write("short.so",
                            "\x7f"
                            "ELF")),
              HasSubstr("is cut off after 4 bytes"));
  EXPECT_THAT(refusal(path), HasSubstr("is a folder"));
  EXPECT_THAT(refusal(path / "absent.so"), HasSubstr("No such file"));
}

TEST_F(Folder, RefusesAPluginThatWasCutOffAtAnyPlace) {
  const std::string whole = bytes_of(kGood);
  for (size_t size = 1; size < whole.size(); size += 997)
    EXPECT_NE(why_not_a_plugin(write("cut.so", whole.substr(0, size))), "") << size;
  EXPECT_THAT(why_not_a_plugin(write("cut.so", whole.substr(0, whole.size() / 2))),
              HasSubstr("is cut off: its headers promise"));
  EXPECT_EQ(why_not_a_plugin(write("cut.so", whole)), "");
}

TEST_F(Folder, ReadsNoNumberOfTheHeadersUnchecked) {
  const std::string whole = bytes_of(kGood);
  // Every byte of the file header, turned over: nothing crashes, whatever the answer.
  for (size_t i = 0; i < sizeof(Elf64_Ehdr); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(~bytes[i]);
    why_not_a_plugin(write("odd.so", bytes));
  }
  std::string other = whole;
  other[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  EXPECT_THAT(refusal(write("other.so", other)), HasSubstr("is for RISC-V"));
}

TEST(LoaderTest, FindsByKindAndId) {
  Loader loader(SearchPath{{kPlugins / "good"}, 0});
  EXPECT_TRUE(loader.exists("reward", "good"));
  EXPECT_EQ(loader.opened().size(), 0u);
  const RegisteredComponent* found = loader.find("reward", "good");
  ASSERT_NE(found, nullptr);
  EXPECT_STREQ(found->component->id, "good");
  EXPECT_EQ(loader.find("reward", "good"), found);
  EXPECT_EQ(loader.find("reward", "better"), nullptr);
  EXPECT_EQ(loader.find("stage", "good"), nullptr);
  EXPECT_EQ(loader.find("reward", "../good/reward.good"), nullptr);
  EXPECT_EQ(loader.opened().size(), 1u);
  EXPECT_THAT(loader.kinds_of("good"), ElementsAre("reward"));
  EXPECT_THAT(loader.ids("reward"), ElementsAre("good"));
}

TEST(LoaderTest, AFileThatHasNotWhatItsNameSaysIsAnError) {
  Loader loader(SearchPath{{kPlugins / "bad"}, 0});
  EXPECT_THROW(loader.find("reward", "misnamed"), LoadError);
}

TEST(LoaderTest, AFileOfAnyNameMayBeNamedOutright) {
  Loader loader;
  loader.add_from_config(kPlugins / "odd/length.so");
  const RegisteredComponent* found = loader.find("reward", "acme.length");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->plugin->path, fs::canonical(kPlugins / "odd/length.so"));
  EXPECT_THROW(loader.add_from_config(kPlugins / "no/such/folder"), LoadError);
  EXPECT_THROW(loader.add_from_config(__FILE__), LoadError) << "a source file is no plugin";
}

TEST(LoaderTest, TwoVersionsOfOneRuntimeAreRefused) {
  Loader loader(SearchPath{{kPlugins / "torch"}, 0});
  ASSERT_NE(loader.find("reward", "torch-a"), nullptr);
  ASSERT_NE(loader.find("reward", "torch-c"), nullptr);
  try {
    loader.find("reward", "torch-b");
    FAIL() << "two LibTorches in one process";
  } catch (const LoadError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("reward.torch-b.so needs libtorch 2.10.0"),
                                HasSubstr("reward.torch-a.so needs libtorch 2.11.0")));
  }
}

TEST_F(Folder, EarlierFoldersGoFirst) {
  fs::copy_file(kGood, path / "reward.good.so");
  write("notes.txt", "not a plugin");
  fs::create_directories(path / "parts");
  Loader loader(SearchPath{{path, kPlugins / "good", path}, 0});
  std::vector<PluginFile> files = loader.files();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_FALSE(files[0].shadowed);
  EXPECT_EQ(files[0].id, "good");
  EXPECT_TRUE(files[1].shadowed);
  EXPECT_EQ(loader.find("reward", "good")->plugin->path, fs::canonical(path / "reward.good.so"));
}

TEST_F(Folder, FoldersOfTheConfigurationGoBetweenFlagsAndEnvironment) {
  fs::create_directories(path / "flag");
  fs::create_directories(path / "file");
  setenv("TENON_PLUGIN_PATH", (path / "variable").c_str(), 1);
  Loader loader(plugin_search_path({path / "flag"}));
  loader.add_from_config(path / "file");
  unsetenv("TENON_PLUGIN_PATH");
  ASSERT_GE(loader.search_path().size(), 3u);
  EXPECT_EQ(loader.search_path()[0], path / "flag");
  EXPECT_EQ(loader.search_path()[1], path / "file");
  EXPECT_EQ(loader.search_path()[2], path / "variable");
  EXPECT_THROW(plugin_search_path({path / "absent"}), UserError);
}

TEST(Sha256, EqualsThePublishedVectors) {
  // FIPS 180-2, appendix B.1, and the empty text.
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace tenon::host
