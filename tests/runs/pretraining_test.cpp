// Pre-training as DeepSeek's, on documents with fill in the middle and multi-token prediction: killed runs, threads, and a model that is none the worse for it.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "small_run.h"

namespace tenon::runs {
namespace {

class Pretraining : public InAFolder {
 protected:
  Pretraining() {
    std::ofstream corpus(dir_ / "corpus.txt");
    for (int i = 1; i <= 80; ++i) {
      for (int k = 1; k <= 1 + i % 5; ++k) corpus << i << '+' << k << '=' << i + k << ',';
      corpus << "\n\n";
    }
  }
  // mtp: the stage's option, or nothing; depth: the model's.
  int train(const std::string& name, int depth, const std::string& mtp, int steps, int threads = 2) const {
    write(name, depth, mtp, steps, threads);
    return tenon("run " + name + ".yaml", name + ".txt");
  }
  void write(const std::string& name, int depth, const std::string& mtp, int steps, int threads) const {
    std::ofstream(dir_ / (name + ".yaml"))
        << "run: {name: " << name << ", runs: runs, seed: 5, checkpoint_interval: 0s, threads: " << threads
        << R"(}
components:
  texts: {use: text, path: corpus.txt}
  letters: {use: char, alphabet: "0123456789+=,<|>", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 80, tokenizer: letters, mtp_depth: )"
        << depth << R"(}
pipeline:
  - {name: base, use: pretrain, model: policy, data: texts, batch: 16, fim_rate: 0.5, fim_tokens: {begin: "<", hole: "|", end: ">"},
     )" << mtp
        << "steps: " << steps << R"(, optimizer: {use: adamw, learning_rate: 0.01}}
)";
  }
  std::vector<boost::json::object> steps(const std::string& name) const {
    std::vector<boost::json::object> out;
    std::ifstream lines(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) out.push_back(boost::json::parse(line).as_object());
    return out;
  }
  std::string metrics(const std::string& name) const { return read(dir_ / "runs" / name / "metrics.jsonl"); }
  // The file of the trained model.
  std::string weights(const std::string& name) const {
    for (const auto& stage : std::filesystem::directory_iterator(dir_ / "runs" / name / "stages")) {
      const boost::json::value done = boost::json::parse(read(stage.path() / "done.json"));
      return read(stage.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                  "model.safetensors");
    }
    return "";
  }
};

constexpr const char* kMtp = "mtp: {weight: 0.3, later_weight: 0.1, later_from: 60}, ";

TEST_F(Pretraining, KilledItGoesOnAsIfNothingHadHappenedWithAnyNumberOfThreads) {
  constexpr int kSteps = 120;
  ASSERT_EQ(train("whole", 1, kMtp, kSteps, 1), 0) << read(dir_ / "whole.txt");
  const auto whole = steps("whole");
  ASSERT_EQ(whole.size(), static_cast<size_t>(kSteps));
  double rows = 0;
  for (const auto& step : whole) rows += step.at("fim/rows").to_number<double>();
  EXPECT_NEAR(rows / (16 * kSteps), 0.5, 0.06);
  EXPECT_LT(whole.back().at("loss").to_number<double>(), whole.front().at("loss").to_number<double>() - 0.5);
  EXPECT_LT(whole.back().at("mtp/loss").to_number<double>(),
            whole.front().at("mtp/loss").to_number<double>() - 0.5);

  write("killed", 1, kMtp, kSteps, 2);
  const bool killed = tenon_until("KILL", "ls runs/killed/stages/base-*/checkpoints/*/manifest.json",
                                  "run killed.yaml", "killed.txt") != 0;
  EXPECT_TRUE(killed);
  ASSERT_EQ(tenon("resume runs/killed", "killed.txt"), 0) << read(dir_ / "killed.txt");
  EXPECT_EQ(metrics("killed"), metrics("whole"));
  EXPECT_EQ(weights("killed"), weights("whole"));
  EXPECT_NE(weights("whole").find("model.mtp.0.eh_proj.weight"), std::string::npos)
      << "checkpoints keep modules";
}

TEST_F(Pretraining, WithLambdaZeroEveryNumberIsThatOfAModelWithoutModules) {
  ASSERT_EQ(train("zero", 2, "mtp: {weight: 0}, ", 30), 0) << read(dir_ / "zero.txt");
  ASSERT_EQ(train("plain", 0, "", 30), 0) << read(dir_ / "plain.txt");
  auto zero = steps("zero");
  for (auto& step : zero) EXPECT_EQ(step.erase("mtp/loss") + step.erase("mtp/weight"), 2u);
  EXPECT_EQ(zero, steps("plain"));
}

TEST_F(Pretraining, OptionsOfAModelThatDoesNotHaveModulesAreToldWithTheirPlace) {
  EXPECT_NE(train("none", 0, "mtp: {weight: 0.3}, ", 30), 0);
  EXPECT_THAT(read(dir_ / "none.txt"),
              testing::AllOf(testing::HasSubstr("none.yaml:"), testing::HasSubstr("give it `mtp_depth: 1`")));
  EXPECT_EQ(train("untrained", 1, "", 2), 0);
  EXPECT_THAT(read(dir_ / "untrained.txt"), testing::HasSubstr("that this stage does not train"));
}

}  // namespace
}  // namespace tenon::runs
