// The pipeline of configs/bert-mini.yaml, shortened: every stage gets what it needs, a run that is killed goes on with the same bytes, the reward model judges a
// policy, and an encoder is refused where a next token is needed.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <sstream>

#include "small_run.h"

namespace tenon::runs {
namespace {

using ::testing::HasSubstr;

class BertMini : public InAFolder {
 protected:
  static std::string shortened(const std::string& name, int steps) {
    std::string arguments = "run '" TENON_CONFIGS "/bert-mini.yaml'";
    auto set = [&](const std::string& what) { arguments += " --set '" + what + "'"; };
    set("run.runs=runs"), set("run.name=" + name);
    set("pipeline.reading.steps=" + std::to_string(steps)), set("pipeline.reading.batch=16");
    set("pipeline.reading.optimizer={use: adamw, learning_rate: 2e-3}");
    set("pipeline.reading.checkpoint_every=10"), set("pipeline.reading.held_out.rows=17");
    for (const std::string stage : {"taste", "taste-alone"}) {
      set("pipeline." + stage + ".epochs=2"), set("pipeline." + stage + ".held_out.rows=8");
      set("pipeline." + stage + ".optimizer={use: adamw, learning_rate: 1e-3}");
    }
    return arguments;
  }
  std::string metrics(const std::string& name) const { return read(dir_ / "runs" / name / "metrics.jsonl"); }
  // What the last stage has trained.
  std::string weights(const std::string& name) const {
    for (const auto& stage : std::filesystem::directory_iterator(dir_ / "runs" / name / "stages")) {
      if (!stage.path().filename().string().starts_with("taste-")) continue;
      const boost::json::value done = boost::json::parse(read(stage.path() / "done.json"));
      if (stage.path().filename().string().starts_with("taste-alone")) continue;
      return read(stage.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                  "model.safetensors");
    }
    return "";
  }
};

TEST_F(BertMini, EveryStageRunsAndIsDoneOnce) {
  ASSERT_EQ(tenon(shortened("once", 3), "out.txt"), 0) << read(dir_ / "out.txt");
  const std::string first = metrics("once");
  for (const char* part : {"\"reading\"", "\"taste\"", "\"taste-alone\"", "held_out/nsp_accuracy"})
    EXPECT_THAT(first, HasSubstr(part));
  const std::string table = read(dir_ / "runs/once/eval.json");
  for (const char* part : {"mlm_accuracy", "nsp_accuracy", "\"accuracy\""})
    EXPECT_THAT(table, HasSubstr(part));
  ASSERT_EQ(tenon(shortened("once", 3), "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_EQ(metrics("once"), first);
}

TEST_F(BertMini, KilledItGoesOnAsIfNothingHadHappened) {
  constexpr int kSteps = 100;
  ASSERT_EQ(tenon(shortened("whole", kSteps) + " --set run.threads=1", "whole.txt"), 0)
      << read(dir_ / "whole.txt");
  int stopped = 0;
  const auto go_on = [&] {
    const bool begun = std::filesystem::exists(dir_ / "runs/killed/config.yaml");
    return begun ? "resume runs/killed" : shortened("killed", kSteps) + " --set run.threads=2";
  };
  for (const char* signal : {"KILL", "TERM"})
    stopped += tenon_until(signal, "grep '\"step\":10' runs/killed/stages/*/metrics.jsonl", go_on(),
                           "killed.txt") != 0;
  ASSERT_EQ(tenon(go_on(), "killed.txt"), 0) << read(dir_ / "killed.txt");
  EXPECT_GT(stopped, 0);
  EXPECT_EQ(metrics("killed"), metrics("whole"));
  ASSERT_FALSE(weights("whole").empty());
  EXPECT_EQ(weights("killed"), weights("whole")) << "one was trained on one thread, the other on two";
}

class EncoderRun : public InAFolder {
 protected:
  // Of the components those that the pipeline names.
  void write(const std::string& pipeline) const {
    std::ofstream out(dir_ / "run.yaml");
    out << R"(run: {name: run, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 1}
  letters: {use: char, alphabet: "0123456789+-=<>,cmp", eos: "$"}
)";
    if (pipeline.find("policy") != std::string::npos)
      out << "  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: "
             "letters}\n";
    if (pipeline.find("reader") != std::string::npos)
      out << "  reader: {use: encoder, layers: 1, width: 16, heads: 2, max_len: 48, scalar_head: true, "
             "tokenizer: letters, "
             "cls: c, sep: p, mask: m}\n";
    out << "pipeline:\n" << pipeline;
  }
};

TEST_F(EncoderRun, ItsScalarIsARewardOfAPolicy) {
  write(R"(
  - {name: reading, use: mlm-nsp, model: reader, data: sums, separator: ",", steps: 3, batch: 4, optimizer: {use: adamw, learning_rate: 0.001}}
  - {name: base, use: pretrain, model: policy, data: sums, steps: 20, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: sums, rewards: [{use: reward-model, model: reading, region: whole}], algorithm: {use: grpo}, prompts: 4,
     group_size: 4, steps: 2, max_new_tokens: 6, optimizer: {use: adamw, learning_rate: 0.001}}
)");
  ASSERT_EQ(tenon("run run.yaml", "out.txt"), 0) << read(dir_ / "out.txt");
  EXPECT_THAT(read(dir_ / "runs/run/metrics.jsonl"), HasSubstr("\"reward/reward-model"));
}

TEST_F(EncoderRun, WhereANextTokenIsNeededItIsRefusedBeforeTheFirstStep) {
  constexpr const char* kOptimizer = "optimizer: {use: adamw, learning_rate: 0.01}}\n";
  const std::pair<std::string, const char*> stages[] = {
      {"use: pretrain, model: reader, data: sums, ", "reader (encoder) predicts no next token"},
      {"use: rl, model: reader, data: sums, rewards: [{use: answer}], algorithm: {use: grpo}, prompts: 4, "
       "group_size: 4, max_new_tokens: 6, ",
       "reader (encoder) predicts no next token"},
      {"use: mlm-nsp, model: policy, data: sums, ", "policy (transformer) does not predict masked tokens"}};
  for (const auto& [stage, reason] : stages) {
    write("  - {name: base, steps: 2, " + stage + kOptimizer);
    EXPECT_NE(tenon("run run.yaml", "out.txt"), 0) << stage;
    EXPECT_THAT(read(dir_ / "out.txt"), HasSubstr(reason)) << stage;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "runs")) << "something was written";
  }
}

}  // namespace
}  // namespace tenon::runs
