// docs/algorithms.md quotes the smallest algorithm word for word, and names every algorithm there is.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(fs::path(TENON_SOURCE) / file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(AlgorithmsGuide, QuotesTheSmallestOne) {
  const fs::path file = "plugins/algorithm/reinforce/reinforce.cpp";
  if (!fs::exists(TENON_SOURCE / file)) GTEST_SKIP() << "there is no " << file;
  const std::string source = read(file);
  const std::string code = source.substr(source.find("#include"));
  EXPECT_THAT(read("docs/algorithms.md"), testing::HasSubstr("```cpp\n" + code + "```\n"));
}

TEST(AlgorithmsGuide, HasEveryAlgorithm) {
  const std::string guide = read("docs/algorithms.md");
  for (const auto& entry : fs::directory_iterator(fs::path(TENON_SOURCE) / "plugins/algorithm"))
    if (entry.is_directory()) {
      EXPECT_THAT(guide,
                  testing::HasSubstr("plugins/algorithm/" + entry.path().filename().string() + "/README.md"));
    }
}

}  // namespace
