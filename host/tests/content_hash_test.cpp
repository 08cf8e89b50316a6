// Tests of what a path in the options adds to a stage's hash.
// SPDX-License-Identifier: Apache-2.0
#include "host/content_hash.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tenon::host {
namespace {

namespace fs = std::filesystem;

class HashOfPath : public testing::Test {
 protected:
  HashOfPath() {
    std::string name = (fs::temp_directory_path() / "tenon-hash-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~HashOfPath() override { fs::remove_all(dir_); }
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }
  // Whether writing `text` to `name` changes the hash of `path`.
  bool changes(const fs::path& path, const std::string& name, const std::string& text) const {
    const std::string before = digest_of_path(path).hash;
    write(name, text);
    return digest_of_path(path).hash != before;
  }
  fs::path dir_;
};

TEST_F(HashOfPath, IsTheContentOfAFileAlone) {
  const fs::path file = write("a/rows.jsonl", "1"), same = write("b/others.jsonl", "1");
  EXPECT_EQ(digest_of_path(file).hash, digest_of_path(same).hash);
  EXPECT_FALSE(changes(file, "a/config.json", "{}"));
  EXPECT_TRUE(changes(file, "a/rows.jsonl", "2"));
  EXPECT_EQ(digest_of_path(dir_ / "nothing").hash, "absent");
}

TEST_F(HashOfPath, HasTheFilesThatAreReadWithATokenizer) {
  const fs::path file = write("tokenizer.json", "{}");
  EXPECT_TRUE(changes(file, "chat_template.jinja", "a"));
  EXPECT_TRUE(changes(file, "chat_template.jinja", "b"));
  EXPECT_TRUE(changes(file, "generation_config.json", "{}"));
  EXPECT_FALSE(changes(file, "README.md", "x"));
  EXPECT_FALSE(changes(file, "model.safetensors", "x")) << "a tokenizer reads no weights";
}

TEST_F(HashOfPath, HasTheConfigurationAndShardsOfWeights) {
  const fs::path single = write("m/model.safetensors", "w");
  EXPECT_TRUE(changes(single, "m/config.json", "{}"));
  const fs::path index = write("s/model.safetensors.index.json", "{}");
  EXPECT_TRUE(changes(index, "s/model-00001-of-00002.safetensors", "1"));
  EXPECT_TRUE(changes(index, "s/model-00001-of-00002.safetensors", "2"));
}

TEST_F(HashOfPath, HasTheNamesAndContentOfAFolder) {
  write("f/x/1", "a");
  EXPECT_TRUE(changes(dir_ / "f", "f/x/2", "a"));
  const std::string before = digest_of_path(dir_ / "f").hash;
  fs::rename(dir_ / "f/x/2", dir_ / "f/x/3");
  EXPECT_NE(digest_of_path(dir_ / "f").hash, before);
}

}  // namespace
}  // namespace tenon::host
