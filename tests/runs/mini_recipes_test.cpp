// The pipelines of configs/r1-zero-mini.yaml, rlhf-mini.yaml and rlhf-loop-mini.yaml, each stage a few steps long; people rank in place of the judge.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "small_run.h"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class MiniRecipes : public tenon::runs::InAFolder {
 protected:
  // The command that runs a configuration with these settings of its stages; each "path=value".
  static std::string shortened(const std::string& file, const std::vector<std::string>& settings) {
    std::string arguments = "run '" + file + "' --set run.runs=runs";
    for (const std::string& setting : settings) arguments += " --set 'pipeline." + setting + "'";
    return arguments;
  }
  static std::string rlhf(const std::string& file = TENON_CONFIGS "/rlhf-mini.yaml") {
    std::vector<std::string> settings = {
        "base.steps=2",     "sft.steps=2",    "comparisons.problems=6",  "comparisons.prompts=4",
        "ppo.steps=7",      "ppo.prompts=4",  "ppo.held_out.problems=4", "ppo.held_out.every=4",
        "table.problems=4", "table.samples=2"};
    for (const char* stage : {"base", "sft", "taste", "ppo", "dpo"})
      settings.push_back(std::string(stage) + ".optimizer={use: adamw, learning_rate: 1e-3}");
    return shortened(file, settings);
  }
  bool result(const std::string& run, const std::string& text) const {
    return json::serialize(json::parse(read(dir_ / ("runs/" + run + "/eval.json")))).find(text) !=
           std::string::npos;
  }
  // The file of completions that wait for somebody to rank them.
  fs::path to_rank() const {
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / "runs"))
      if (entry.path().filename() == "to-rank.jsonl") return entry.path();
    return {};
  }
};

TEST_F(MiniRecipes, R1ZeroRunsAndIsDoneOnce) {
  const std::string command =
      shortened(TENON_CONFIGS "/r1-zero-mini.yaml",
                {"base.steps=2", "zero.steps=2", "zero.prompts=4", "zero.group_size=4",
                 "base.optimizer={use: adamw, learning_rate: 1e-3}",
                 "zero.optimizer={use: adamw, learning_rate: 1e-3}", "table.problems=4"});
  ASSERT_EQ(tenon(command, "out.txt"), 0) << read(dir_ / "out.txt");
  EXPECT_TRUE(result("r1-zero-mini", "pass@8"));
  const std::string first = read(dir_ / "runs/r1-zero-mini/metrics.jsonl");
  ASSERT_EQ(tenon(command, "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_EQ(read(dir_ / "runs/r1-zero-mini/metrics.jsonl"), first);
}

// The host takes a stage that stops early for one that is done, and goes on with the next.
TEST_F(MiniRecipes, AStageEndsEarlyWhereNothingRises) {
  const std::string held_out =
      "held_out={data: {of: sums, split: test}, rewards: [{of: correct}], problems: 2, every: 1, stop_after: "
      "2, min_improvement: 1}";
  const std::string command =
      shortened(TENON_CONFIGS "/r1-zero-mini.yaml",
                {"base.steps=2", "zero.steps=30", "zero.prompts=2", "zero.group_size=4",
                 "base.optimizer={use: adamw, learning_rate: 1e-3}", "zero." + held_out,
                 "zero.optimizer={use: adamw, learning_rate: 1e-3}", "table.problems=4"});
  ASSERT_EQ(tenon(command, "out.txt"), 0) << read(dir_ / "out.txt");
  EXPECT_TRUE(result("r1-zero-mini", "pass@8"));
  EXPECT_NE(read(dir_ / "runs/r1-zero-mini/log.txt").find("training ends after step 3 of 30"),
            std::string::npos);
  ASSERT_EQ(tenon(command, "again.txt"), 0) << read(dir_ / "again.txt");
}

TEST_F(MiniRecipes, RlhfRuns) {
  ASSERT_EQ(tenon(rlhf(), "out.txt"), 0) << read(dir_ / "out.txt");
  const std::string metrics = read(dir_ / "runs/rlhf-mini/metrics.jsonl");
  for (const char* name :
       {"held_out/accuracy", "held_out/reward/score/mean", "dpo/accuracy", "value/loss", "collected"})
    EXPECT_NE(metrics.find(std::string("\"") + name + "\":"), std::string::npos) << name;
  EXPECT_TRUE(result("rlhf-mini", "reward/score"));
}

// Each round samples from what the round before trained; a round more runs that one alone.
TEST_F(MiniRecipes, RlhfLoopRunsAndGrows) {
  std::vector<std::string> settings = {"base.steps=2",
                                       "sft.steps=2",
                                       "before.problems=4",
                                       "before.samples=2",
                                       "loop.stages.comparisons.problems=6",
                                       "loop.stages.comparisons.prompts=4",
                                       "loop.stages.rl.steps=2",
                                       "loop.stages.rl.prompts=4",
                                       "loop.stages.rl.critic_warmup=1",
                                       "loop.stages.rl.held_out.problems=2",
                                       "loop.stages.rl.held_out.every=2",
                                       "loop.stages.table.problems=4",
                                       "loop.stages.table.samples=2"};
  for (const char* stage : {"base", "sft", "loop.stages.taste", "loop.stages.rl"})
    settings.push_back(std::string(stage) + ".optimizer={use: adamw, learning_rate: 1e-3}");
  const std::string command =
      shortened(TENON_CONFIGS "/rlhf-loop-mini.yaml", settings) + " --set pipeline.loop.repeat=";
  ASSERT_EQ(tenon(command + "2", "out.txt"), 0) << read(dir_ / "out.txt");
  const fs::path records = dir_ / "runs/rlhf-loop-mini/metrics.jsonl";
  const std::string two = read(records);
  for (const char* stage :
       {"loop.1.comparisons", "loop.1.taste", "loop.2.comparisons", "loop.2.taste", "loop.2.rl"})
    EXPECT_NE(two.find(std::string("\"") + stage + "\""), std::string::npos) << stage;
  for (const char* round : {"loop.1.table", "loop.2.table"})
    EXPECT_TRUE(result("rlhf-loop-mini", round)) << round;
  ASSERT_EQ(tenon(command + "3", "out.txt"), 0) << read(dir_ / "out.txt");
  EXPECT_EQ(read(records).substr(0, two.size()), two);
  EXPECT_TRUE(result("rlhf-loop-mini", "loop.3.table"));
  ASSERT_EQ(tenon("plan" + command.substr(std::string("run").size()) + "3 --json", "plan.txt"), 0);
  const json::value planned = json::parse(read(dir_ / "plan.txt"));
  std::map<std::string, std::string> model;  // that a stage gets
  for (const json::value& stage : planned.at("stages").as_array())
    if (const json::value* from = stage.at("inputs").as_object().if_contains("model"))
      model[stage.at("name").as_string().c_str()] = from->as_string().c_str();
  EXPECT_EQ(model["loop.1.comparisons"], "sft");
  EXPECT_EQ(model["loop.3.comparisons"], "loop.2.rl");
  EXPECT_EQ(model["loop.3.rl"], "loop.2.rl");
}

// The run stops where people are to rank, keeps what they said, and goes on.
TEST_F(MiniRecipes, PeopleRank) {
  std::istringstream judged(read(TENON_CONFIGS "/rlhf-mini.yaml"));
  std::ofstream by_people(dir_ / "by-people.yaml");
  int left_out = 0;
  for (std::string line; std::getline(judged, line);) {
    const bool is_judge = line.find("judge_temperature") != std::string::npos ||
                          line == "    rewards: [{of: correct}, {of: language, scope: think}]";
    left_out += is_judge ? 1 : 0;
    if (!is_judge) by_people << line << "\n";
  }
  by_people.close();
  ASSERT_EQ(left_out, 2);
  ASSERT_EQ(tenon(rlhf("by-people.yaml"), "waits.txt"), 75) << read(dir_ / "waits.txt");
  EXPECT_NE(read(dir_ / "waits.txt").find("lists of completions are to be ranked, with: tenon rank "),
            std::string::npos);
  const fs::path file = to_rank();
  ASSERT_FALSE(file.empty());
  const std::string metrics = read(dir_ / "runs/rlhf-mini/metrics.jsonl"), waiting = read(file);
  ASSERT_EQ(tenon("resume runs/rlhf-mini --json", "waits.txt"), 75);
  EXPECT_NE(read(dir_ / "waits.txt").find(R"("status":"waits")"), std::string::npos)
      << read(dir_ / "waits.txt");
  EXPECT_EQ(read(dir_ / "runs/rlhf-mini/metrics.jsonl"), metrics) << "nothing is sampled again";
  EXPECT_EQ(read(file), waiting);
  ASSERT_EQ(tenon("rank '" + file.string() + "' < /dev/null", "rank.txt"), 130) << read(dir_ / "rank.txt");
  std::istringstream lines(read(file));
  std::ofstream answers(dir_ / "answers.txt");
  for (std::string line; std::getline(lines, line);)
    answers << std::string("ABCD").substr(0, json::parse(line).at("completions").as_array().size()) << "\n";
  answers.close();
  ASSERT_EQ(tenon("rank runs/rlhf-mini < answers.txt", "rank.txt"), 0) << read(dir_ / "rank.txt");
  ASSERT_EQ(tenon("resume runs/rlhf-mini", "out.txt"), 0) << read(dir_ / "out.txt");
  EXPECT_TRUE(result("rlhf-mini", "reward/score"));
}

}  // namespace
