// docs/configuration.md is what `tenon describe --markdown` prints, and its example is a right configuration.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <algorithm>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A file of this process alone: CTest runs each test in one of its own, several at a time.
fs::path scratch(const std::string& name) {
  return fs::path(testing::TempDir()) / ("tenon_docs_" + std::to_string(getpid()) + "_" + name);
}

// Runs tenon and returns what it printed on stdout.
std::string tenon(const std::string& arguments) {
  const fs::path out = scratch("out");
  const int status = std::system(("'" TENON_PROGRAM "' " + arguments + " > '" + out.string() + "'").c_str());
  EXPECT_EQ(status, 0) << "tenon " << arguments;
  std::string text = read(out);
  fs::remove(out);
  return text;
}

// The text from each heading that begins with `marks` to the next heading of any level.
std::vector<std::string> sections(const std::string& text, const std::string& marks) {
  std::vector<std::string> found;
  for (size_t at = text.find("\n" + marks); at != std::string::npos; at = text.find("\n" + marks, at + 1)) {
    const size_t end = text.find("\n#", at + 1);
    std::string section = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    while (section.ends_with('\n')) section.pop_back();
    found.push_back(std::move(section));
  }
  return found;
}

TEST(ConfigurationGuide, IsWhatTheOptionTablesSay) {
  const std::string printed = tenon("describe --markdown");
  const std::string guide = read(TENON_CONFIGURATION_GUIDE);
  constexpr char kHint[] = "; write it again: tenon describe --markdown > docs/configuration.md";

  const std::string language = printed.substr(0, printed.find("\n## Every stage"));
  EXPECT_TRUE(guide.starts_with(language)) << "the part on the language differs" << kHint;
  const std::vector<std::string> components = sections(printed, "### "), written = sections(guide, "### ");
  for (const std::string& component : components)
    EXPECT_TRUE(std::find(written.begin(), written.end(), component) != written.end())
        << component.substr(0, component.find('\n')) << " differs" << kHint;
  const auto differ = std::mismatch(guide.begin(), guide.end(), printed.begin(), printed.end()).first;
  if (components.size() == written.size()) {
    EXPECT_TRUE(guide == printed) << "the guide differs from line "
                                  << std::count(guide.begin(), differ, '\n') + 1 << " on" << kHint;
  }
}

// The README in plugins/<kind>/<name>/ has the options in a table, or says that `tenon describe` prints them.
TEST(ConfigurationGuide, ReadmesNameEveryOptionOrSayWhereTheyAre) {
  const fs::path plugins = fs::path(TENON_CONFIGURATION_GUIDE).parent_path().parent_path() / "plugins";
  const std::regex option("\\n\\| `([^`.]+)` \\|");
  for (const std::string& section : sections(read(TENON_CONFIGURATION_GUIDE), "### ")) {
    const std::string name = section.substr(4, section.find('\n') - 4);
    std::vector<std::string> missing;
    bool complete = false, any = false;
    // Two kinds may have a component of one name; each README is for one of them.
    for (const auto& kind : fs::directory_iterator(plugins)) {
      const fs::path file = kind.path() / name / "README.md";
      if (!fs::exists(file)) continue;
      any = true;
      missing.clear();
      const std::string readme = read(file);
      for (std::sregex_iterator at(section.begin(), section.end(), option), end; at != end; ++at)
        if (readme.find("`" + (*at)[1].str() + "`") == std::string::npos) missing.push_back((*at)[1]);
      complete = complete || missing.empty() || readme.find("tenon describe " + name) != std::string::npos;
    }
    EXPECT_TRUE(complete || !any) << "the README of " << name << " lacks " << testing::PrintToString(missing)
                                  << " and a word on `tenon describe " << name << "`";
  }
}

TEST(ConfigurationGuide, ItsExampleIsRight) {
#if !TENON_HAS_PLUGINS_OF_EXAMPLE
  GTEST_SKIP() << "this build has no model transformer or no stage rl";
#endif
  const std::string guide = read(TENON_CONFIGURATION_GUIDE);
  const size_t begin = guide.find("```yaml\n") + 8, end = guide.find("```", begin);
  ASSERT_NE(end, std::string::npos);
  const fs::path file = scratch("example.yaml");
  std::ofstream(file) << guide.substr(begin, end - begin);
  EXPECT_THAT(tenon("check '" + file.string() + "'"), testing::HasSubstr("ok"));
  fs::remove(file);
}

}  // namespace
