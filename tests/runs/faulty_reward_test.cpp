// A reward that crashes, hangs and returns NaN: the run goes on, counts each, and trains as it would without those samples.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kSteps = 2, kSamples = 4 * 8;  // of a step

class FaultyReward : public testing::Test {
 protected:
  FaultyReward() {
    std::string name = (fs::temp_directory_path() / "tenon-faulty-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~FaultyReward() override { fs::remove_all(dir_); }

  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // The steps of stage zero of the run `name` with that component as its reward, and those options of the run.
  std::vector<json::object> train(const std::string& name, const std::string& reward,
                                  const std::string& run = "") const {
    std::ofstream(dir_ / (name + ".yaml")) << "run: {name: " << name
                                           << ", runs: runs, seed: 5, max_reward_failures: 0.2" << run << R"(}
plugins: [")" TENON_FAULTY_PLUGINS R"("]
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  correct: )" << reward << R"(
  algorithm: {use: grpo}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 60, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: sums, rewards: [{of: correct}], prompts: 4, group_size: 8, steps: 2,
     max_new_tokens: 6, overlap_rewards: false,  # the reward counts its calls
     optimizer: {use: adamw, learning_rate: 0.01}}
)";
    const std::string shell = "cd '" + dir_.string() + "' && FAULTY_COUNT='" + name +
                              ".count' '" TENON_PROGRAM "' run " + name + ".yaml > '" + name + ".txt' 2>&1";
    const int status = std::system(shell.c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << output(name);
    std::vector<json::object> metrics;
    std::ifstream lines(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      json::object step = json::parse(line).as_object();
      if (step.at("stage").as_string() == "zero") metrics.push_back(std::move(step));
    }
    return metrics;
  }
  std::string output(const std::string& run) const { return read(dir_ / (run + ".txt")); }

  std::string weights(const std::string& run) const {
    for (const auto& stage : fs::directory_iterator(dir_ / "runs" / run / "stages"))
      if (stage.path().filename().string().starts_with("zero-")) {
        const json::value done = json::parse(read(stage.path() / "done.json"));
        return read(stage.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                    "model.safetensors");
      }
    return "";
  }

  fs::path dir_;
};

// The interpreter itself: "python3" may be a script that looks for it, at every start. Empty: there is none.
std::string python() {
  std::string path;
  FILE* pipe = ::popen("python3 -c 'import sys; print(sys.executable, end=\"\")' 2>/dev/null", "r");
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) path += static_cast<char>(c);
  if (pipe != nullptr) ::pclose(pipe);
  return path;
}

// Samples of all steps with that outcome.
double samples(const std::vector<json::object>& steps, const char* outcome) {
  double n = 0;
  for (const json::object& step : steps)
    if (const json::value* share = step.if_contains(std::string("reward/correct/") + outcome))
      n += share->to_number<double>() * kSamples;
  return n;
}

void expect_equal_steps(const std::vector<json::object>& faulty, const std::vector<json::object>& without) {
  ASSERT_EQ(faulty.size(), static_cast<size_t>(kSteps));
  ASSERT_EQ(without.size(), faulty.size());
  bool learned = false;
  for (size_t step = 0; step < faulty.size(); ++step) {
    for (const char* name : {"loss", "grad_norm", "reward/mean", "reward/correct/mean"})
      EXPECT_EQ(faulty[step].at(name), without[step].at(name)) << name << " of step " << step;
    learned = learned || faulty[step].at("updates").to_number<double>() > 0;
  }
  EXPECT_TRUE(learned);
}

void expect_counts(const std::vector<json::object>& faulty, const std::vector<json::object>& without) {
  EXPECT_NEAR(samples(faulty, "crashed"), 6 + 1, 1e-6);  // every tenth of 64, and a NaN
  EXPECT_NEAR(samples(faulty, "timed_out"), 1, 1e-6);
  EXPECT_NEAR(samples(faulty, "not_applicable"), 0, 1e-6);
  EXPECT_NEAR(samples(without, "not_applicable"), 6 + 1 + 1, 1e-6);
  EXPECT_NEAR(samples(without, "not_ok"), 0, 1e-6);
}

TEST_F(FaultyReward, InPythonCostsItsOwnSamplesAndNothingElse) {
  const std::string interpreter = python();
  if (interpreter.empty()) GTEST_SKIP() << "there is no python3";
  const auto reward = [&](const std::string& function) {
    return "{use: python, file: \"" TENON_FAULTY_REWARD ":" + function + "\", interpreter: \"" + interpreter +
           "\", batch: 1, timeout: 1s}";
  };
  const auto faulty = train("faulty", reward("faulty")), without = train("without", reward("without"));
  expect_counts(faulty, without);
  expect_equal_steps(faulty, without);
  EXPECT_THAT(output("faulty"), AllOf(HasSubstr("crashed: the worker was killed by signal 6 (sample "),
                                      HasSubstr("samples have no valid reward and count for nothing")));
  EXPECT_FALSE(weights("faulty").empty());
  EXPECT_TRUE(weights("faulty") == weights("without"));
}

TEST_F(FaultyReward, InAProcessOfItsOwnCostsItsOwnSamplesAndNothingElse) {
  const auto faulty = train("faulty", "{use: test.faulty, isolation: process}", ", reward_timeout: 1s"),
             without = train("without", "{use: test.faulty, leaves_out: true}");
  expect_counts(faulty, without);
  expect_equal_steps(faulty, without);
  EXPECT_FALSE(weights("faulty").empty());
  EXPECT_TRUE(weights("faulty") == weights("without"));
}

}  // namespace
