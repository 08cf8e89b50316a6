// docs/metrics.md lists the metrics and timings that the sources write, from the component that writes them, and no others.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;  // "loss from rl"

const fs::path kSource = TENON_SOURCE;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What the documentation calls the component whose source this is.
std::vector<std::string> components_of(const fs::path& file) {
  std::vector<std::string> parts;
  for (const fs::path& part : file.lexically_relative(kSource)) parts.push_back(part.string());
  if (parts[0] == "host") return {"host"};
  if (parts[1] == "common" && parts[2] == "stage_support") {
    if (parts[3] == "sampled.cpp") return {"collect", "distill", "evaluate", "rejection-sample", "rl"};
    if (parts[3] == "held_out.cpp") return {"distill", "rl"};
    if (parts[3] == "held_out_rows.cpp") return {"mlm-nsp", "preference", "pretrain", "reward-model", "sft"};
    return {"pretrain", "sft"};
  }
  if (parts[1] == "common" && parts[2] == "chat_server") return {"evaluate", "rejection-sample"};
  if (parts[1] == "common" && parts[2] == "algorithm_support") {  // who links what writes
    if (parts[3] == "value_loss.h") return {"ppo"};
    if (parts[3] == "whitening.h") return {"ppo", "reinforce++"};
    if (parts[3] == "kl.h") return {"grpo", "reinforce++"};
    if (parts[3] == "policy_loss.h") return {"grpo", "rloo", "ppo", "reinforce++"};
    return {"grpo", "rloo", "dpo"};
  }
  return {parts[2]};
}

bool is_product(const fs::path& file) {
  const std::string name = file.filename().string(), path = file.string();
  const bool source = name.ends_with(".cpp") || name.ends_with(".h");
  return source && !name.ends_with("_test.cpp") && path.find("/tests/") == std::string::npos;
}

// How a name is written in the sources: the pattern's group 1, with `before` in front.
struct Form {
  std::regex pattern;
  std::string before;
};

// The names, each with its component, that the sources hold in one of these forms.
Names written(const std::vector<Form>& forms) {
  Names out;
  for (const char* folder : {"host", "plugins"})
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
      if (!is_product(entry.path())) continue;
      const std::string text = read(entry.path());
      for (const Form& form : forms)
        for (std::sregex_iterator at(text.begin(), text.end(), form.pattern), end; at != end; ++at)
          for (const std::string& component : components_of(entry.path()))
            out.insert(form.before + (*at)[1].str() + " from " + component);
    }
  return out;
}

// The names in the first table below a heading. Those that end in a placeholder, "reward/<name>/<outcome>", are left out: no source spells them.
Names documented(const std::string& heading) {
  const std::string guide = read(kSource / "docs/metrics.md");
  std::istringstream lines(guide.substr(guide.find("\n## " + heading + "\n") + 1));
  Names out;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && !line.starts_with("## ")) {
    if (!line.starts_with("| `")) continue;
    const size_t end = line.find(" | ", 2), end_of_from = line.find(" | ", end + 3);
    const std::string names = line.substr(0, end), from = line.substr(end + 3, end_of_from - end - 3);
    const std::regex name("`([^`]+)`"), component("[a-z+-]+");
    for (std::sregex_iterator n(names.begin(), names.end(), name), none; n != none; ++n)
      for (std::sregex_iterator c(from.begin(), from.end(), component); c != none; ++c)
        if (const std::string text = (*n)[1]; !text.ends_with(">") || text == "reward/<name>")
          out.insert(text + " from " + c->str());
  }
  return out;
}

// A plugin whose folder was taken out writes nothing.
bool is_there(const std::string& component) {
  if (component == "host") return true;
  for (const auto& kind : fs::directory_iterator(kSource / "plugins"))
    if (fs::exists(kind.path() / component)) return true;
  return false;
}

void expect_equal(const Names& in_sources, const Names& in_guide) {
  ASSERT_GT(in_sources.size(), 5u);
  for (const std::string& name : in_sources)
    EXPECT_EQ(in_guide.count(name), 1u) << "not in docs/metrics.md: " << name;
  for (const std::string& name : in_guide)
    if (is_there(name.substr(name.rfind(' ') + 1)) && in_sources.count(name) == 0)
      ADD_FAILURE() << "in no source: " << name;
}

TEST(MetricsGuide, ListsTheMetricsThatAreWritten) {
  expect_equal(written({{std::regex(R"re(\bmetric(?:_min|_max)?\("([^"]+)")re"), ""},
                        {std::regex(R"re(\bput\("([a-z_]+)")re"), ""},
                        {std::regex(R"re(\bmeasured\("([a-z_]+)")re"), "held_out/"},
                        {std::regex(R"re(\bmetric\(prefix \+ "/([^"]+)")re"), "reward/<name>/"},
                        {std::regex(R"re(\bnote\("([^"]+)")re"), "reward/<name>/"}}),
               documented("Metrics"));
}

TEST(MetricsGuide, ListsTheTimingsThatAreWritten) {
  expect_equal(written({{std::regex(R"re(\btiming\("([^"]+)")re"), ""},
                        {std::regex(R"re(\bTimed \w+\(host_, "([^"]+)")re"), ""},
                        {std::regex(R"re(\btiming\(prefix()[,)])re"), "reward/<name>"}}),
               documented("Timings"));
}

}  // namespace
