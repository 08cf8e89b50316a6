// A whole pre-training, fine-tuning and preference stage with early stopping: the next stage runs, with the best parameters; killed, it ends with the same bytes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "small_run.h"

namespace tenon::runs {
namespace {

using ::testing::HasSubstr;

class HeldOutRun : public InAFolder {
 protected:
  // Eight sums are learnt by heart, and others held out: after a few steps what is learnt is those eight alone.
  void write(const std::string& name) const {
    std::ofstream(dir_ / (name + ".yaml")) << "run: {name: " << name << R"(, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  few: {use: mixture, parts: [{of: sums, count: 8}]}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 40, batch: 16, held_out: {data: {of: sums, split: test}, rows: 32, every: 20},
     optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: tuned, use: sft, from: base, data: few, steps: 400, batch: 8, checkpoint_every: 6,
     held_out: {data: {of: sums, split: test}, rows: 64, every: 4, stop_after: 4, keep: best}, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: after, use: evaluate, models: [tuned], data: {of: sums, split: test}, rewards: [{use: answer}], problems: 4, max_new_tokens: 6}
)";
  }
  // The lines of metrics.jsonl, as they are written, of one stage.
  std::vector<std::string> lines(const std::string& name, const std::string& stage) const {
    std::vector<std::string> out;
    std::ifstream file(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(file, line);)
      if (line.find("\"" + stage + "\"") != std::string::npos) out.push_back(line);
    return out;
  }
  // By step: the loss on rows held out.
  std::map<int64_t, double> losses(const std::string& name, const std::string& stage) const {
    std::map<int64_t, double> out;
    for (const std::string& line : lines(name, stage)) {
      const boost::json::object step = boost::json::parse(line).as_object();
      if (const auto* loss = step.if_contains("held_out/loss"))
        out[step.at("step").to_number<int64_t>()] = loss->to_number<double>();
    }
    return out;
  }
  std::string model_of(const std::string& name, const std::string& stage) const {
    for (const auto& folder : std::filesystem::directory_iterator(dir_ / "runs" / name / "stages")) {
      if (!folder.path().filename().string().starts_with(stage + "-")) continue;
      const boost::json::value done = boost::json::parse(read(folder.path() / "done.json"));
      return read(folder.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                  "model.safetensors");
    }
    return "";
  }
};

TEST_F(HeldOutRun, FineTuningEndsEarlyWithTheBestParametersAlsoKilled) {
  write("whole"), write("killed");
  ASSERT_EQ(tenon("run whole.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");
  EXPECT_EQ(losses("whole", "base").size(), 3u) << "before, in the middle, at the end";
  const std::map<int64_t, double> losses = this->losses("whole", "tuned");
  ASSERT_GE(losses.size(), 5u);
  ASSERT_LT(losses.rbegin()->first, 399) << "it ends early";
  double best = losses.begin()->second;
  for (const auto& [step, loss] : losses) best = std::min(best, loss);
  EXPECT_GT(losses.rbegin()->second, best);
  const boost::json::value results = boost::json::parse(read(dir_ / "runs/whole/eval.json"));
  EXPECT_THAT(read(dir_ / "runs/whole/log.txt"), HasSubstr("are kept, whose loss of "));
  EXPECT_THAT(boost::json::serialize(results), HasSubstr("accuracy")) << "the next stage has run";
  EXPECT_THAT(boost::json::serialize(results), HasSubstr(boost::json::serialize(boost::json::value(best))))
      << "results are of the parameters that are kept";

  // What is kept is what the numbers are of: evaluated once more, by a stage of one step that changes nothing.
  std::string again = read(dir_ / "whole.yaml");
  std::ofstream(dir_ / "whole.yaml") << again
                                     << "  - {name: check, use: sft, from: tuned, data: few, steps: 2, "
                                        "held_out: {data: {of: sums, split: test}, rows: 64}, "
                                        "optimizer: {use: adamw, learning_rate: 0.01}}\n";
  ASSERT_EQ(tenon("run whole.yaml", "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_EQ(this->losses("whole", "check").at(0), best);

  int kills = 0;
  for (const int files : {1, 3}) {  // between its checkpoints
    const bool begun = std::filesystem::exists(dir_ / "runs/killed/config.yaml");
    kills += tenon_until("KILL",
                         "test $(ls -d runs/killed/stages/tuned-*/checkpoints/*/manifest.json | wc -l) -ge " +
                             std::to_string(files),
                         begun ? "resume runs/killed" : "run killed.yaml", "killed.txt") != 0;
  }
  if (std::filesystem::exists(dir_ / "runs/killed"))
    ASSERT_EQ(tenon("resume runs/killed", "killed.txt"), 0) << read(dir_ / "killed.txt");
  EXPECT_GT(kills, 0);
  EXPECT_EQ(lines("killed", "tuned"), lines("whole", "tuned"));
  EXPECT_EQ(model_of("killed", "tuned"), model_of("whole", "tuned"));
  const std::string metrics = read(dir_ / "runs/killed/metrics.jsonl");
  ASSERT_EQ(tenon("run killed.yaml", "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_EQ(read(dir_ / "runs/killed/metrics.jsonl"), metrics) << "finished: nothing to do";
}

// What is held out says the opposite of what is learnt: no evaluation is better than the one before training, so that the stage hands on what it got.
TEST_F(HeldOutRun, PreferencesThatOnlyMakeItWorseLeaveTheModelAsItWas) {
  const auto pairs = [&](const std::string& name, const std::string& better, const std::string& worse) {
    std::ofstream file(dir_ / name);
    for (const char* prompt : {"1+2+3=", "2+2+2=", "9-1-1=", "5+0+1="})
      file << R"({"prompt":")" << prompt << R"(","completion":")" << better << R"(","rejected":")" << worse
           << "\"}\n";
  };
  pairs("pairs.jsonl", "6", "7"), pairs("others.jsonl", "7", "6");
  std::ofstream(dir_ / "worse.yaml") << R"(run: {name: worse, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 20, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: liked, use: preference, from: base, data: {use: jsonl, file: pairs.jsonl, prompt: prompt, completion: completion, rejected: rejected}, algorithm: {use: dpo}, steps: 50, batch: 4,
     held_out: {data: {use: jsonl, file: others.jsonl, prompt: prompt, completion: completion, rejected: rejected}, every: 2, stop_after: 2, keep: best, by: loss}, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: after, use: evaluate, models: [liked], data: {of: sums, split: test}, rewards: [{use: answer}], problems: 4, max_new_tokens: 6}
)";
  ASSERT_EQ(tenon("run worse.yaml", "worse.txt"), 0) << read(dir_ / "worse.txt");
  EXPECT_EQ(lines("worse", "liked").size(), 4u);
  EXPECT_THAT(read(dir_ / "runs/worse/log.txt"),
              HasSubstr("the parameters of the model before training are kept"));
  EXPECT_EQ(model_of("worse", "liked"), model_of("worse", "base"));
  EXPECT_EQ(lines("worse", "after").size(), 1u);
}

}  // namespace
}  // namespace tenon::runs
