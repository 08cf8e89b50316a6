// Links of the documents lead to what is there, and those of installed documents to what is installed beside them.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;
const fs::path kSource = TENON_SOURCE;

// As the top CMakeLists.txt installs them.
bool is_installed(const fs::path& file) {
  const std::string name = file.filename().string(), first = file.begin()->string();
  if (!file.has_parent_path()) return name == "README.md" || name == "LICENSE";
  if (first == "docs") return file.extension() == ".md";
  if (first == "sdk") return file.extension() == ".md" || file.parent_path().filename() == "examples";
  return first == "plugins" && name == "README.md";
}

TEST(Documents, TheirLinksLeadSomewhereAlsoWhereTheyAreInstalled) {
  const std::regex link(R"(\]\(([^)#\s]+))");
  size_t links = 0;
  for (auto at = fs::recursive_directory_iterator(kSource); at != fs::recursive_directory_iterator(); ++at) {
    const fs::path file = at->path().lexically_relative(kSource);
    const std::string name = file.filename().string();
    if (at->is_directory() && (name == "build" || name == "runs" || name.starts_with(".")))
      at.disable_recursion_pending();
    if (!at->is_regular_file() || file.extension() != ".md") continue;
    std::ifstream in(at->path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (std::sregex_iterator found(text.begin(), text.end(), link), end; found != end; ++found) {
      const std::string to = (*found)[1].str();
      if (to.find("://") != std::string::npos) continue;
      ++links;
      const fs::path target = (file.parent_path() / to).lexically_normal();
      EXPECT_TRUE(fs::exists(kSource / target)) << file << " links to " << to;
      if (!is_installed(file)) continue;
      const fs::path document = fs::is_directory(kSource / target) ? target / "README.md" : target;
      EXPECT_TRUE(is_installed(document.lexically_normal()))
          << file << " is installed, and what it links to is not: " << to;
    }
  }
  EXPECT_GT(links, 20u);
}

}  // namespace
