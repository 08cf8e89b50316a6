// Collecting comparisons, learning from them and distilling, each killed in its middle: the run goes on from a checkpoint, and leaves the same files.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>

#include "small_run.h"

namespace tenon::runs {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kConfig = R"(
run: {name: small, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  correct: {use: answer}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 20, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: pairs, use: collect, from: base, data: sums, rewards: [{of: correct}], judge_temperature: 0.5, temperature: 1.5,
     problems: 96, prompts: 8, samples: 4, max_new_tokens: 6, checkpoint_every: 1}
  - {name: liked, use: preference, from: base, data: pairs.ranked, algorithm: {use: dpo}, steps: 12, batch: 8, checkpoint_every: 1,
     optimizer: {use: adamw, learning_rate: 0.001, schedule: cosine, final: 0.1, warmup: 3}}
  - {name: student, use: distill, from: base, teacher: liked, data: sums, steps: 12, prompts: 8, max_new_tokens: 6, checkpoint_every: 1,
     held_out: {data: {of: sums, split: test}, rewards: [{of: correct}], problems: 4, every: 3, keep: best},
     optimizer: {use: adamw, learning_rate: 0.001, schedule: cosine, final: 0.1, warmup: 3}}
)";

class KilledStages : public InAFolder {
 protected:
  KilledStages() { std::ofstream(dir_ / "small.yaml") << kConfig; }

  // What it says, less how long things took: lines of timings.jsonl are as long as their numbers.
  static std::string without_timings(const fs::path& manifest) {
    json::object object = json::parse(read(manifest)).as_object();
    if (json::value* offsets = object.if_contains("offsets")) offsets->as_object().erase("timings.jsonl");
    return json::serialize(object);
  }
  // Every file of a run by its path, but for its log, its lock and the times that it took.
  std::map<std::string, std::string> files(const std::string& runs) const {
    std::map<std::string, std::string> out;
    const fs::path run = dir_ / runs / "small";
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
      const std::string name = entry.path().filename(), path = entry.path().lexically_relative(run);
      if (!entry.is_regular_file() || name == "timings.jsonl" || path == "log.txt" || path == "lock" ||
          path == "config.yaml")
        continue;
      out[path] = name == "manifest.json" ? without_timings(entry.path()) : read(entry.path());
    }
    return out;
  }
  fs::path stage(const std::string& name) const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(dir_ / "killed/small/stages", none))
      if (entry.path().filename().string().starts_with(name + "-")) return entry.path();
    return dir_ / "none";
  }
  bool is_in_its_middle(const std::string& name) const {
    return fs::exists(stage(name) / "checkpoints") && !fs::is_empty(stage(name) / "checkpoints") &&
           !fs::exists(stage(name) / "done.json");
  }
};

TEST_F(KilledStages, GoOnFromACheckpointWithTheSameFiles) {
  ASSERT_EQ(tenon("run small.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");
  const std::map<std::string, std::string> whole = files("runs");
  const std::string run = "run small.yaml --set run.runs=killed";
  for (const std::string name : {"pairs", "liked", "student"}) {
    // Where the machine had finished the stage before it was killed, the stage begins again.
    for (int attempt = 0; attempt < 5 && !is_in_its_middle(name); ++attempt) {
      fs::remove_all(stage(name));
      const std::string later_checkpoint =
          "ls killed/small/stages/" + name + "-*/checkpoints/[2-9]/manifest.json";
      EXPECT_NE(tenon_until("KILL", later_checkpoint, run, "killed.txt"), 2) << read(dir_ / "killed.txt");
    }
    ASSERT_TRUE(is_in_its_middle(name)) << name << read(dir_ / "killed.txt");
  }
  ASSERT_EQ(tenon("resume killed/small", "killed.txt"), 0) << read(dir_ / "killed.txt");
  const std::string log = read(dir_ / "killed/small/log.txt");
  for (const std::string name : {"pairs", "liked", "student"})
    EXPECT_THAT(log, testing::ContainsRegex("stage " + name + ": goes on after step [0-9]+"));

  const std::map<std::string, std::string> killed = files("killed");
  for (const auto& [path, bytes] : whole) {
    ASSERT_TRUE(killed.contains(path)) << path;
    EXPECT_TRUE(killed.at(path) == bytes) << path << " differs";
  }
  EXPECT_EQ(killed.size(), whole.size());
  EXPECT_THAT(whole.at("metrics.jsonl"),
              testing::AllOf(testing::HasSubstr("\"collected\":"), testing::HasSubstr("\"dpo/accuracy\":"),
                             testing::HasSubstr("\"held_out/accuracy\":")));
}

}  // namespace
}  // namespace tenon::runs
