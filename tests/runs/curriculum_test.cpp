// A whole reinforcement learning whose prompts a curriculum chooses: it is told how they went, and a run that is killed goes on with the same bytes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "small_run.h"

namespace tenon::runs {
namespace {

class CurriculumRun : public InAFolder {
 protected:
  void write(const std::string& name, int steps) const {
    std::ofstream(dir_ / (name + ".yaml")) << "run: {name: " << name << R"(, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  chosen: {use: curriculum, data: sums, rows: 50, by: pass_rate, choose: pools}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 60, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: chosen, rewards: [{use: answer}], prompts: 8, group_size: 4, max_new_tokens: 6, algorithm: {use: grpo},
     checkpoint_every: 2, steps: )" << steps
                                           << R"(, optimizer: {use: adamw, learning_rate: 0.01}}
)";
  }
  // Each step's metrics of stage zero, as they are written.
  std::vector<std::string> steps(const std::string& name) const {
    std::vector<std::string> out;
    std::ifstream lines(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);)
      if (line.find("\"zero\"") != std::string::npos) out.push_back(line);
    return out;
  }
};

TEST_F(CurriculumRun, KilledItGoesOnAsIfNothingHadHappened) {
  constexpr int kSteps = 24;
  write("whole", kSteps);
  write("killed", kSteps);
  ASSERT_EQ(tenon("run whole.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");
  const std::vector<std::string> whole = steps("whole");
  ASSERT_EQ(whole.size(), static_cast<size_t>(kSteps));
  double before = 0;
  for (const std::string& line : whole) {
    const boost::json::object step = boost::json::parse(line).as_object();
    const double seen = step.at("curriculum/seen").to_number<double>();
    EXPECT_GE(seen, before);
    before = seen;
    double pools = 0;
    for (const char* pool : {"hard", "normal", "easy", "unseen"})
      pools += step.at(std::string("curriculum/pool/") + pool).to_number<double>();
    EXPECT_NEAR(pools, 1, 1e-9) << "every row is in one pool";
  }
  EXPECT_GT(before, 0.5);

  int kills = 0;
  const auto go_on = [&] {
    const bool begun = std::filesystem::exists(dir_ / "runs/killed/config.yaml");
    return std::string(begun ? "resume runs/killed" : "run killed.yaml");
  };
  // In the first stage, and between two checkpoints of the second.
  for (const char* there : {"base-*/metrics.jsonl", "zero-*/checkpoints/*/manifest.json"})
    kills += tenon_until("KILL", std::string("ls runs/killed/stages/") + there, go_on(), "killed.txt") != 0;
  ASSERT_EQ(tenon(go_on(), "killed.txt"), 0) << read(dir_ / "killed.txt");
  EXPECT_GT(kills, 0);
  EXPECT_EQ(steps("killed"), whole);
}

}  // namespace
}  // namespace tenon::runs
