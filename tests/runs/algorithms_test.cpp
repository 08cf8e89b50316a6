// Every algorithm and every published variant learns, from one base and with one budget: configs/algorithms.yaml as it is shipped, three seeds.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Algorithms : public testing::Test {
 protected:
  Algorithms() {
    std::string name = (fs::temp_directory_path() / "tenon-algorithms-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Algorithms() override { fs::remove_all(dir_); }

  // The accuracy on held-out problems of each model of the table, by name.
  std::map<std::string, double> accuracy(int seed) const {
    const std::string name = "seed" + std::to_string(seed);
    const int status =
        std::system(("'" TENON_PROGRAM "' run '" TENON_CONFIGS "/algorithms.yaml' --set run.seed=" +
                     std::to_string(seed) + " --set run.name=" + name + " --set 'run.runs=" + dir_.string() +
                     "' > '" + (dir_ / "out.txt").string() + "' 2>&1")
                        .c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << read_file(dir_ / "out.txt");
    std::map<std::string, double> out;
    const json::value results = json::parse(read_file(dir_ / name / "eval.json"));
    for (const auto& [model, benchmarks] : results.at("table").as_object())
      out[model] = benchmarks.at("sums").at("accuracy").to_number<double>();
    return out;
  }

  fs::path dir_;
};

TEST_F(Algorithms, TheirConfigurationsAreRight) {
  for (const char* file : {"algorithms.yaml", "dapo.yaml", "ppo-vs-grpo/compare.yaml"}) {
    const std::string out = (dir_ / "out.txt").string();
    const int status = std::system((std::string("'" TENON_PROGRAM "' check --create '" TENON_CONFIGS "/") +
                                    file + "' > '" + out + "' 2>&1")
                                       .c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << read_file(out);
  }
}

// On seeds that no option was chosen on. On three others, with better bases, DPO on pairs of the base gained nothing (docs/experiments.md has all nine seeds: 0.16 in the mean).
TEST_F(Algorithms, AllLearn) {
  constexpr int kFirst = 7, kSeeds = 3;
  std::map<std::string, double> mean;
  for (int seed = kFirst; seed < kFirst + kSeeds; ++seed)
    for (const auto& [model, value] : accuracy(seed)) mean[model] += value / kSeeds;
  ASSERT_GE(mean.size(), 21u);
  EXPECT_LT(mean.at("base"), 0.7) << "there is something to learn";
  for (const auto& [model, value] : mean) {
    if (model != "base") EXPECT_GE(value, mean.at("base") + 0.15) << model;
  }
}

}  // namespace
