// Reinforcement learning held near the model it started from, in whole runs: the divergence is there, and micro-batches change nothing.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class Reference : public testing::Test {
 protected:
  Reference() {
    std::string name = (fs::temp_directory_path() / "tenon-reference-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Reference() override { fs::remove_all(dir_); }

  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // The steps of stage zero in a run with `micro_batch_tokens`.
  std::vector<json::object> train(const std::string& micro_batch_tokens) const {
    const std::string name = "micro-" + micro_batch_tokens;
    std::ofstream(dir_ / (name + ".yaml"))
        << R"(run: {name: )" << name << R"(, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  correct: {use: answer}
  algorithm: {use: grpo, beta: 0.1}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 60, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: sums, rewards: [{of: correct}], prompts: 8, group_size: 8, steps: 3,
     mini_batches: 2, epochs: 2, max_new_tokens: 6, micro_batch_tokens: )"
        << micro_batch_tokens << ", optimizer: {use: adamw, learning_rate: 0.01}}\n";
    const int status = std::system(
        ("cd '" + dir_.string() + "' && '" TENON_PROGRAM "' run " + name + ".yaml > out.txt 2>&1").c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << read(dir_ / "out.txt");
    std::vector<json::object> metrics;
    std::ifstream lines(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      json::object step = json::parse(line).as_object();
      if (step.at("stage").as_string() == "zero") metrics.push_back(std::move(step));
    }
    return metrics;
  }

  fs::path dir_;
};

TEST_F(Reference, IsTheSameInAnyMicroBatches) {
  const std::vector<json::object> whole = train("100000");
  ASSERT_EQ(whole.size(), 3u);
  for (size_t step = 0; step < whole.size(); ++step) {
    EXPECT_GT(whole[step].at("kl").to_number<double>(), 0) << "the policy has moved, step " << step;
    EXPECT_EQ(whole[step].at("rollout/logprob_diff_max").to_number<double>(), 0);
  }
  const std::vector<json::object> alone = train("1");
  ASSERT_EQ(alone.size(), whole.size());
  // A prompt that its group does not share any more is computed with other roundings.
  for (const char* name : {"kl", "loss", "grad_norm", "reward/mean"}) {
    const double expected = whole[0].at(name).to_number<double>();
    EXPECT_NEAR(alone[0].at(name).to_number<double>(), expected, 1e-5 * (1 + std::fabs(expected))) << name;
  }
}

}  // namespace
