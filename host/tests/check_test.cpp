// What a right configuration becomes, and what is said of a wrong one: bad/*.yaml begin with what they expect.
// SPDX-License-Identifier: Apache-2.0
#include "host/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "host/config.h"
#include "host/content_hash.h"
#include "host/tests/check_fakes.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kGood[] = R"(run: {name: quick, seed: 7, threads: 3}
components:
  sums: {use: sums, operands: 5}
  policy: {use: tiny, layers: 3, tokenizer: {use: char}}
  correct: {use: answer}
  adamw: {use: adamw, learning_rate: 1.5e-4, schedule: {kind: cosine}}
pipeline:
  - {name: base, use: pretrain, data: sums, model: policy, optimizer: {of: adamw, learning_rate: 4e-3}, steps: 20}
  - {name: zero, use: rl, from: base, data: {of: sums, operands: 6}, rewards: [{of: correct, weight: 0.5}, format], timeout: 1m30s, checkpoint_every: 5}
  - {name: table, use: evaluate, models: [base, zero, policy], data: sums}
)";

class Check : public testing::Test {
 protected:
  Check() { loader.add_static(fakes::plugin()); }
  ~Check() override { fs::remove_all(folder); }

  Plan plan_of(const std::string& text, const std::vector<std::string>& set = {}) {
    fs::create_directories(folder);
    std::ofstream(folder / "c.yaml") << text;
    return make_plan(folder / "c.yaml", set, loader, diagnostics);
  }
  std::string messages() const {
    std::ostringstream out;
    diagnostics.print(out);
    return out.str();
  }

  fs::path folder =
      fs::path(testing::TempDir()) /
      ("tenon_check_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  Loader loader;
  Diagnostics diagnostics;
};

TEST_F(Check, ARightConfigurationBecomesAPlan) {
  Plan plan = plan_of(kGood);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(plan.name, "quick");
  EXPECT_EQ(plan.seed, 7u);
  EXPECT_EQ(plan.threads, 3u);
  EXPECT_EQ(plan.max_reward_failures, 0.05);
  EXPECT_EQ(plan.runs, fs::current_path() / "runs");
  ASSERT_EQ(plan.stages.size(), 3u);
  ASSERT_EQ(plan.sinks.size(), 1u);
  EXPECT_STREQ(plan.sinks[0].component->id, "console");

  const Spec& base = plan.stages[0].spec;
  EXPECT_EQ(base.options.at("steps").as_int64(), 20);
  EXPECT_TRUE(base.marks.contains("steps"));
  ASSERT_EQ(base.slots.size(), 3u);
  EXPECT_EQ(base.slots[0].name, "data");
  EXPECT_EQ(base.slots[1].name, "model");
  EXPECT_EQ(base.slots[1].spec->name, "policy");
  EXPECT_EQ(base.slots[1].spec->options.at("layers").as_int64(), 3);
  EXPECT_EQ(base.slots[1].spec->slots[0].spec->name, "char");
  EXPECT_EQ(base.slots[2].spec->options.at("learning_rate").as_double(), 4e-3);
  EXPECT_EQ(base.slots[2].spec->options.at("schedule").at("kind").as_string(), "cosine");
  EXPECT_EQ(base.slots[2].spec->options.at("schedule").at("warmup").as_int64(), 0);
}

TEST_F(Check, FromFillsTheModelSlot) {
  Plan plan = plan_of(kGood);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const StagePlan& zero = plan.stages[1];
  EXPECT_EQ(zero.from, "base");
  EXPECT_THAT(zero.inputs, ElementsAre("base"));
  EXPECT_EQ(zero.checkpoint_every, 5u);
  ASSERT_EQ(zero.spec.slots[1].name, "model");
  EXPECT_EQ(zero.spec.slots[1].stage, "base");
  EXPECT_EQ(zero.spec.slots[1].spec->name, "policy");
  EXPECT_THAT(plan.stages[2].inputs, ElementsAre("base", "zero"));
  EXPECT_EQ(plan.stages[2].spec.slots[2].name, "models/2");
  EXPECT_EQ(plan.stages[2].spec.slots[2].stage, "");
}

TEST_F(Check, ReferencesKeepTheirAttributesAndTemplatesStayAsTheyAre) {
  Plan plan = plan_of(kGood);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const Spec& zero = plan.stages[1].spec;
  EXPECT_EQ(zero.options.at("rewards").at(0).at("weight").as_double(), 0.5);
  EXPECT_EQ(zero.options.at("rewards").at(1).at("weight").as_double(), 1.0);
  EXPECT_EQ(zero.options.at("rewards").at(1).at("of").as_string(), "format");
  EXPECT_EQ(zero.options.at("timeout").as_double(), 90.0);
  EXPECT_TRUE(zero.marks.contains("rewards.0.weight"));
  EXPECT_EQ(zero.slots[0].spec->options.at("operands").as_int64(), 6);
  EXPECT_EQ(plan.stages[0].spec.slots[0].spec->options.at("operands").as_int64(), 5);
}

TEST_F(Check, SetGoesBeforeTheFile) {
  Plan plan = plan_of(kGood, {"pipeline.base.steps=11", "run.seed=9", "components.policy.layers=1"});
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(plan.stages[0].spec.options.at("steps").as_int64(), 11);
  EXPECT_EQ(plan.seed, 9u);
}

TEST_F(Check, MistakesInSetNameItsPlace) {
  plan_of(kGood, {"run.seed=1", "pipeline.base.steps=-4"});
  EXPECT_EQ(messages(),
            "--set:2:21: error: pipeline.base.steps: -4 is out of range: allowed is at least 1 steps\n  "
            "pipeline.base.steps=-4\n" +
                std::string(22, ' ') + "^\n");
}

TEST_F(Check, TheResolvedConfigurationGivesTheSamePlan) {
  Plan plan = plan_of(kGood);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  Plan again = plan_of(plan.resolved);
  ASSERT_FALSE(diagnostics.has_errors()) << messages() << plan.resolved;
  EXPECT_EQ(again.resolved, plan.resolved);
  for (size_t i = 0; i < plan.stages.size(); ++i)
    EXPECT_EQ(again.stages[i].spec.slots.size(), plan.stages[i].spec.slots.size());
  EXPECT_THAT(plan.resolved, HasSubstr("    cache: 65536\n"));
  EXPECT_THAT(plan.resolved, HasSubstr("  - name: zero\n    use: rl\n    from: base\n"));
}

TEST_F(Check, AnOptionWithoutEffectIsAMistakeWhereItIsGiven) {
  std::string text = kGood;
  text.replace(text.find("kind: cosine"), 12, "warmup: 0");
  plan_of(text);
  EXPECT_THAT(messages(), HasSubstr("c.yaml:6:57: error: components.adamw.schedule.warmup: has no effect: a "
                                    "constant schedule has no warm-up. Leave it out"));
}

TEST_F(Check, TheResolvedConfigurationStatesNoOptionWithoutEffect) {
  std::string text = kGood;
  text.replace(text.find("kind: cosine"), 12, "kind: constant");
  Plan plan = plan_of(text);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_THAT(plan.resolved, Not(HasSubstr("warmup")));
  EXPECT_EQ(plan.stages[0].spec.slots[2].spec->options.at("schedule").at("warmup").as_int64(), 0);
  EXPECT_EQ(plan_of(plan.resolved).resolved, plan.resolved);
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
}

TEST_F(Check, DefaultsInAResolvedConfigurationAreNotStated) {
  Plan plan = plan_of(kGood);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const fs::path file = folder / "resolved.yaml";
  std::ofstream(file) << plan.resolved;
  Plan again = make_plan(file, {}, loader, diagnostics, true);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const Spec &sums = *again.stages[0].spec.slots[0].spec, &rl = again.stages[1].spec;
  EXPECT_TRUE(sums.marks.contains("operands"));
  EXPECT_FALSE(sums.marks.contains("cache"));
  EXPECT_TRUE(rl.marks.contains("rewards.0.weight"));
  EXPECT_FALSE(rl.marks.contains("rewards.1.weight"));
  EXPECT_FALSE(rl.marks.contains("algorithm")) << "which the stage need not look up";
  EXPECT_EQ(again.resolved, plan.resolved);
}

TEST_F(Check, PathsStartFromTheConfigurationsFolder) {
  fs::create_directories(folder / "data");
  std::ofstream(folder / "data/rows.jsonl") << "{}\n";
  std::string text = kGood;
  text.replace(text.find("operands: 5"), 11, "file: data/rows.jsonl");
  Plan plan = plan_of(text);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(plan.stages[0].spec.slots[0].spec->options.at("file").as_string(),
            (folder / "data/rows.jsonl").string());
}

TEST_F(Check, KeysThatBeginWithXAreIgnored) {
  std::string text = "x-notes: {anything: [goes]}\n" + std::string(kGood);
  text.replace(text.find("operands: 5"), 11, "operands: 5, x-note: hello");
  plan_of(text);
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
}

TEST_F(Check, TheNameOfTheRunIsThatOfTheFile) {
  std::string text = kGood;
  text.replace(text.find("name: quick, "), 13, "");
  EXPECT_EQ(plan_of(text).name, "c");
}

TEST_F(Check, WarningsDoNotStopARun) {
  std::string text = kGood;
  text.replace(text.find("layers: 3"), 9, "layers: 13, flash: true");
  plan_of(text);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_THAT(
      messages(),
      HasSubstr("c.yaml:4:23: warning: components.policy.layers: thirteen is an unusual number of layers"));
  EXPECT_THAT(messages(), HasSubstr("c.yaml:4:35: warning: components.policy.flash: this option is "
                                    "deprecated: Use `attention` instead."));
}

constexpr char kLoop[] = R"(run: {name: quick}
components:
  sums: {use: sums}
  policy: {use: tiny, layers: 3, tokenizer: {use: char}}
  judge: {use: answer}
pipeline:
  - {name: base, use: pretrain, data: sums, model: policy, steps: 20}
  - repeat: 3
    name: loop
    stages:
      - {name: gather, use: rl, from: {first: base, then: learn}, data: {first: sums, then: gather.kept}, rewards: [judge], steps: {first: 4, then: 2}}
      - {name: learn, use: rl, from: gather, data: gather.kept, rewards: [judge]}
  - {name: table, use: evaluate, models: [base, loop.learn, loop.1.learn], data: loop.gather.kept}
)";

TEST_F(Check, ALoopIsWrittenOutAsStages) {
  const Plan plan = plan_of(kLoop);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  std::vector<std::string> read;
  for (const StagePlan& stage : plan.stages) {
    read.push_back(stage.name + ":");
    for (const std::string& input : stage.inputs) read.back() += " " + input;
  }
  EXPECT_THAT(read, ElementsAre("base:", "loop.1.gather: base", "loop.1.learn: loop.1.gather",
                                "loop.2.gather: loop.1.gather loop.1.learn", "loop.2.learn: loop.2.gather",
                                "loop.3.gather: loop.2.gather loop.2.learn", "loop.3.learn: loop.3.gather",
                                "table: base loop.1.learn loop.3.gather loop.3.learn"));
  EXPECT_EQ(plan.stages[3].from, "loop.1.learn");
  EXPECT_EQ(plan.stages[3].spec.slots[0].rows, "kept");
  EXPECT_EQ(plan.stages[1].spec.options.at("steps").as_int64(), 4);
  EXPECT_EQ(plan.stages[5].spec.options.at("steps").as_int64(), 2);
  EXPECT_EQ(plan.stages[7].spec.slots[1].stage, "loop.3.learn");
}

TEST_F(Check, WhatIsMeantOfTheRoundBeforeMayBeAListOrHaveAttributes) {
  std::string text = kLoop;
  text.replace(text.find("then: gather.kept}"), 18, "then: {of: gather.kept}}");
  text.replace(
      text.find("  - {name: table"), 0,
      "      - {name: look, use: evaluate, models: {first: [base], then: [base, learn]}, data: sums}\n");
  const Plan plan = plan_of(text);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(plan.stages[4].name, "loop.2.gather");
  EXPECT_THAT(plan.stages[4].inputs, ElementsAre("loop.1.gather", "loop.1.learn"));
  EXPECT_EQ(plan.stages[6].name, "loop.2.look");
  EXPECT_THAT(plan.stages[6].inputs, ElementsAre("base", "loop.1.learn"));
}

// Which text is a reference the option tables say: in a component written in place as anywhere, and `title` is none.
TEST_F(Check, WhatIsMeantOfTheRoundBeforeMayStandInAComponentInPlace) {
  std::string text = kLoop;
  text.replace(text.find("  - {name: table"), 0,
               "      - {name: look, use: evaluate, models: [learn], data: {first: sums, then: {use: pair, "
               "title: gather, data: {use: pair, data: {of: gather.kept}}}}}\n");
  const Plan plan = plan_of(text);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const StagePlan& look = plan.stages[6];
  ASSERT_EQ(look.name, "loop.2.look");
  EXPECT_THAT(look.inputs, ElementsAre("loop.1.gather", "loop.2.learn"));
  const auto data = std::find_if(look.spec.slots.begin(), look.spec.slots.end(),
                                 [](const Slot& slot) { return slot.name == "data"; });
  ASSERT_NE(data, look.spec.slots.end());
  EXPECT_EQ(data->spec->options.at("title").as_string(), "gather");
}

TEST_F(Check, ALoopIsResolvedAsALoop) {
  const Plan plan = plan_of(kLoop);
  EXPECT_THAT(plan.resolved, HasSubstr("  - repeat: 3\n    name: loop\n    stages:\n      - name: gather\n"));
  const Plan again = plan_of(plan.resolved);
  ASSERT_FALSE(diagnostics.has_errors()) << messages() << plan.resolved;
  EXPECT_EQ(again.resolved, plan.resolved);
  EXPECT_EQ(hash_stages(again), hash_stages(plan));
}

// So a loop can be made longer without what was there being run again.
TEST_F(Check, ARoundIsTheSameHoweverManyFollow) {
  const auto before = hash_stages(plan_of(kLoop)),
             longer = hash_stages(
                 plan_of(kLoop, {"pipeline.loop.repeat=5", "pipeline.loop.stages.learn.checkpoint_every=2"}));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  for (const auto& [stage, hash] : before) EXPECT_EQ(longer.at(stage) == hash, stage != "table") << stage;
  EXPECT_TRUE(longer.contains("loop.5.learn"));
}

// A component that names a stage of the loop means that of the round in which it is used.
TEST_F(Check, AComponentOfALoopFollowsTheRounds) {
  std::string text = kLoop;
  text.replace(text.find("data: gather.kept"), 17, "data: kept");
  text.replace(text.find("  judge:"), 0, "  copied: {use: pair, data: gather.kept}\n");
  text.replace(text.find("data: kept"), 10, "data: copied");
  const Plan plan = plan_of(text);
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  for (size_t i : {2u, 4u, 6u}) EXPECT_THAT(plan.stages[i].inputs, ElementsAre(plan.stages[i - 1].name));
}

// ---- bad/*.yaml -------------------------------------------------------------------------------------------------------------------------

constexpr char kExpect[] = "# expect: ";

std::vector<fs::path> bad_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator("bad")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Bad : public testing::TestWithParam<fs::path> {};

TEST_P(Bad, GivesExactlyTheMessagesThatItExpects) {
  std::ifstream in(GetParam());
  std::string expected;
  for (std::string line; std::getline(in, line) && line.starts_with(kExpect);)
    expected += line.substr(sizeof kExpect - 1) + "\n";
  ASSERT_FALSE(expected.empty()) << "the file does not say what it expects";

  Loader loader;
  loader.add_static(fakes::plugin());
  Diagnostics diagnostics;
  make_plan(GetParam(), {}, loader, diagnostics);
  std::string messages;
  for (const Diagnostic& d : diagnostics.sorted())
    messages += std::to_string(d.mark.line) + ":" + std::to_string(d.mark.column) + ": " +
                (d.path.empty() ? "" : d.path + ": ") + d.message + "\n";
  const std::string here = fs::absolute("bad").string();
  for (size_t at; (at = messages.find(here)) != std::string::npos;)
    messages.replace(at, here.size(), "<folder>");
  EXPECT_EQ(messages, expected);
  EXPECT_TRUE(diagnostics.has_errors());
}

INSTANTIATE_TEST_SUITE_P(Files, Bad, testing::ValuesIn(bad_files()), [](const auto& file) {
  std::string name = file.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace tenon::host
