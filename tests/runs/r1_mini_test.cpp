// The pipeline of configs/r1-mini.yaml, each stage a few steps long: every stage gets what it needs from those before it, and a second run does nothing.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "small_run.h"

namespace {

namespace json = boost::json;

class R1Mini : public tenon::runs::InAFolder {
 protected:
  static std::string shortened() {
    std::string arguments = "run '" TENON_CONFIGS "/r1-mini.yaml'";
    auto set = [&](const std::string& what) { arguments += " --set '" + what + "'"; };
    set("run.runs=runs");
    for (const char* stage : {"base", "zero", "dev1", "dev2-mixed", "dev2", "dev3", "taste", "r1",
                              "student-base", "student", "student-rl"})
      set("pipeline." + std::string(stage) + ".steps=2");
    for (const char* stage : {"zero", "dev2-mixed", "dev2", "r1", "student-rl"}) {
      set("pipeline." + std::string(stage) + ".prompts=4");
      set("pipeline." + std::string(stage) + ".group_size=4");
    }
    for (const char* stage : {"base", "zero", "dev1", "dev2-mixed", "dev2", "dev3", "r1", "student-base",
                              "student", "student-rl"})
      set("pipeline." + std::string(stage) + ".optimizer={use: adamw, learning_rate: 1e-3}");
    for (const char* stage : {"traces", "r1-traces"}) {
      set("pipeline." + std::string(stage) + ".problems=8");
      set("pipeline." + std::string(stage) + ".prompts=8");
      // A model of two steps is never right.
      set("pipeline." + std::string(stage) + ".rewards=[{of: correct, min: 0}]");
    }
    for (const char* stage : {"table", "general"}) {
      set("pipeline." + std::string(stage) + ".problems=4");
      set("pipeline." + std::string(stage) + ".samples=2");
    }
    set("pipeline.taste.held_out.rows=8");
    return arguments;
  }
};

TEST_F(R1Mini, EveryStageRunsAndIsDoneOnce) {
  ASSERT_EQ(tenon(shortened(), "out.txt"), 0) << read(dir_ / "out.txt");
  const std::string first = read(dir_ / "runs/r1-mini/metrics.jsonl");
  std::set<std::string> stages;
  std::istringstream lines(first);
  for (std::string line; std::getline(lines, line);)
    stages.insert(std::string(json::parse(line).at("stage").as_string()));
  EXPECT_EQ(stages.size(), 15u);
  const json::value table = json::parse(read(dir_ / "runs/r1-mini/eval.json"));
  EXPECT_NE(json::serialize(table).find("reward/language"), std::string::npos);
  ASSERT_EQ(tenon(shortened(), "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_EQ(read(dir_ / "runs/r1-mini/metrics.jsonl"), first);
}

}  // namespace
