// Stages with more that changes than a policy: a critic beside it, a reference that follows it, a data set that chooses its rows.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "host/checkpoint.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::HasSubstr;

class Models : public Run {
 protected:
  // The last value of a metric that a stage recorded.
  double last(const fs::path& run, const std::string& stage, const char* metric) const {
    std::istringstream in(read_file(run / "metrics.jsonl"));
    double value = std::nan("");
    for (std::string line; std::getline(in, line);)
      if (const json::value v = json::parse(line);
          v.at("stage") == stage.c_str() && v.as_object().contains(metric))
        value = v.at(metric).to_number<double>();
    return value;
  }
  // Interrupts a run again and again, each time going on; returns how often.
  int run_in_pieces(const fs::path& config_file, const fs::path& folder) {
    int stops = 0;
    Outcome outcome = run(config_file);
    for (; outcome.code == 130 && stops < 40; ++stops) outcome = resume(folder);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return stops;
  }
  static std::set<std::string> parts(const fs::path& checkpoint) {
    std::set<std::string> keys;
    const Checkpoint opened = Checkpoint::open(checkpoint);
    for (const auto& pair : opened.manifest().at("components").as_object()) keys.insert(pair.key());
    return keys;
  }
};

TEST_F(Models, AReferenceThatFollowsThePolicyGoesOnWhereItWas) {
  const std::string mixed = ", mix_every: 2";
  ASSERT_EQ(run(write_config(config("", mixed))).code, 0);
  const auto want = results(dir_ / "runs/toy");
  EXPECT_NE(last(dir_ / "runs/toy", "zero", "reference"), last(dir_ / "runs/toy", "base", "loss"));

  const fs::path runs = dir_ / "pieces", folder = runs / "toy";
  const fs::path file = write_config(config("", mixed + ", interrupt_every: 3", runs.string()), "p.yaml");
  EXPECT_EQ(run(file).code, 130);
  const fs::path checkpoints = stage_folder(folder, "zero") / "checkpoints";
  EXPECT_THAT(parts(checkpoints / "3"), testing::Contains("reference"));
  EXPECT_GE(run_in_pieces(file, folder), 4);
  EXPECT_EQ(results(folder), want);
  EXPECT_THAT(parts(checkpoints / "15"), testing::Not(testing::Contains("reference")))
      << "nobody needs it when the stage has ended";
}

TEST_F(Models, AFrozenReferenceIsInNoCheckpoint) {
  const fs::path folder = dir_ / "runs/toy";
  ASSERT_EQ(run(write_config(config("", ", interrupt_every: 4"))).code, 130);
  EXPECT_THAT(parts(stage_folder(folder, "zero") / "checkpoints/4"),
              testing::Not(testing::Contains("reference")));
}

TEST_F(Models, ACriticOfItsOwnIsTrainedKeptAndRestored) {
  for (const std::string critic : {"{use: toy-model, width: 3}", "base"}) {
    fs::remove_all(dir_ / "runs");
    const std::string with = ", critic: " + critic + ", critic_optimizer: {use: toy-optimizer, rate: 0.003}";
    ASSERT_EQ(run(write_config(config("", with))).code, 0);
    const fs::path whole = dir_ / "runs/toy";
    const auto want = results(whole);
    const auto weights_of = [](const fs::path& run, const char* key) {
      return read_file(stage_folder(run, "zero") / "checkpoints/15" / (std::string(key) + ".safetensors"));
    };
    EXPECT_NE(weights_of(whole, "critic"), weights_of(whole, "model"));
    EXPECT_NE(last(whole, "zero", "critic"), last(whole, "zero", "loss"));

    const fs::path runs = dir_ / "pieces", folder = runs / "toy";
    fs::remove_all(runs);
    const fs::path file = write_config(config("", with + ", interrupt_every: 4", runs.string()), "p.yaml");
    EXPECT_EQ(run(file).code, 130);
    EXPECT_THAT(parts(stage_folder(folder, "zero") / "checkpoints/4"),
                testing::IsSupersetOf({"model", "optimizer", "critic", "critic_optimizer", "stage"}));
    EXPECT_GE(run_in_pieces(file, folder), 2);
    EXPECT_EQ(results(folder), want);
    EXPECT_EQ(weights_of(folder, "critic"), weights_of(whole, "critic"));
  }
}

// What a later stage gets from one with a critic is the policy.
TEST_F(Models, ALaterStageGetsThePolicy) {
  const std::string text =
      config("", ", critic: base, critic_optimizer: {use: toy-optimizer, rate: 0.003}") +
      "- {name: more, use: toy-train, from: zero, data: {use: toy-data}, steps: 1, updates: 0}\n";
  ASSERT_EQ(run(write_config(text)).code, 0);
  EXPECT_EQ(last(dir_ / "runs/toy", "more", "loss"), last(dir_ / "runs/toy", "zero", "loss"));
}

// The state of a data set that chooses its rows is part of a checkpoint.
TEST_F(Models, ACurriculumGoesOnWhereItWas) {
  auto with_curriculum = [&](const std::string& options, const fs::path& runs) {
    std::string text = config("", options, runs.string());
    text.replace(text.find("{use: toy-data, rows: -1}"), 25, "{use: toy-curriculum, rows: 1000}");
    return text;
  };
  ASSERT_EQ(run(write_config(with_curriculum("", dir_ / "runs"))).code, 0);
  const auto want = results(dir_ / "runs/toy");
  // Three rows a step, and three more for the three valid rewards of the step before.
  EXPECT_THAT(want.at("zero rows"), HasSubstr("\"row 86\""));
  EXPECT_THAT(want.at("zero rows"), testing::Not(HasSubstr("\"row 3\"")));

  const fs::path folder = dir_ / "pieces/toy";
  const fs::path file = write_config(with_curriculum(", interrupt_every: 4", dir_ / "pieces"), "p.yaml");
  EXPECT_EQ(run_in_pieces(file, folder), 3);
  EXPECT_EQ(results(folder), want);
}

// Nobody would ask it which rows come next.
TEST_F(Models, ACurriculumInsideAnotherDataSetIsAMistake) {
  std::string text = config();
  text.replace(text.find("{use: toy-data, rows: -1}"), 25, "{use: toy-copy, data: {use: toy-curriculum}}");
  const Outcome outcome = run(write_config(text));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("dataset toy-copy: option data: dataset toy-curriculum chooses the order"));
  EXPECT_THAT(outcome.err, HasSubstr("{use: toy-curriculum, data: …}"));
  EXPECT_FALSE(fs::exists(dir_ / "runs/toy/metrics.jsonl")) << "it is found before the first stage";
  text.replace(text.find("toy-copy, data: {use: toy-curriculum}"), 37, "toy-curriculum, rows: 10");
  EXPECT_EQ(run(write_config(text)).code, 0);
}

TEST_F(Models, ACurriculumUnderAStageThatDrawsNoRowsIsAMistake) {
  const Outcome outcome =
      run(write_config(config() + "- {name: look, use: toy-evaluate, data: {use: toy-curriculum}}\n"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("option data: dataset toy-curriculum chooses the order of rows, and "
                                     "this stage reads them in their own"));
}

TEST_F(Models, ACriticThatIsNoModelIsAMistake) {
  const Outcome outcome = run(write_config(config("", ", critic: length")));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("\"length\" is a reward (toy-reward), and a model is wanted here"));
}

}  // namespace
}  // namespace tenon::host
