// Presets: defaults of a component and of the stage that has it, and how a run with them is reproduced.
// SPDX-License-Identifier: Apache-2.0
#include "host/presets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "host/check.h"
#include "host/content_hash.h"
#include "host/tests/check_fakes.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Preset : public testing::Test {
 protected:
  Preset() { loader.add_static(fakes::plugin()); }
  ~Preset() override { fs::remove_all(folder); }

  // A pipeline of a stage `base` and one `zero` with these options and components.
  static std::string config(const std::string& zero, const std::string& components = "") {
    return "run: {name: p, threads: 1}\n"
           "components:\n"
           "  sums: {use: sums}\n"
           "  policy: {use: tiny, tokenizer: char}\n" +
           components +
           "pipeline:\n"
           "  - {name: base, use: pretrain, data: sums, model: policy, steps: 20}\n"
           "  - {name: zero, use: rl, from: base, data: sums, " +
           zero + "}\n";
  }
  Plan plan_of(const std::string& text, const std::vector<std::string>& set = {}, bool is_resolved = false) {
    fs::create_directories(folder);
    std::ofstream(folder / "c.yaml") << text;
    return make_plan(folder / "c.yaml", set, loader, diagnostics, is_resolved);
  }
  std::string messages() const {
    std::ostringstream out;
    diagnostics.print(out);
    return out.str();
  }
  static const Spec& algorithm(const Plan& plan) {
    for (const Slot& slot : plan.stages.at(1).spec.slots)
      if (slot.name == "algorithm") return *slot.spec;
    throw std::runtime_error("the stage has no algorithm");
  }

  fs::path folder =
      fs::path(testing::TempDir()) /
      ("tenon_presets_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  Loader loader;
  Diagnostics diagnostics;
};

constexpr char kWide[] = "  algorithm: {use: vine, preset: wide}\n";

TEST_F(Preset, ItsOptionsAreDefaultsOfTheComponentAndOfItsStage) {
  const Plan plan = plan_of(config("rewards: [answer], algorithm: algorithm", kWide));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const Spec& vine = algorithm(plan);
  EXPECT_EQ(vine.preset, "wide");
  EXPECT_EQ(vine.options.at("clip").as_double(), 0.4);
  EXPECT_EQ(vine.options.at("ratio").as_string(), "token");
  EXPECT_EQ(vine.options.at("schedule").at("kind").as_string(), "linear");
  EXPECT_EQ(vine.options.at("schedule").at("warmup").as_int64(), 0);
  EXPECT_TRUE(vine.marks.empty());
  const Spec& zero = plan.stages[1].spec;
  EXPECT_EQ(zero.options.at("steps").as_int64(), 30);
  EXPECT_EQ(zero.options.at("timeout").as_double(), 20);
  EXPECT_FALSE(zero.marks.contains("steps"));
}

TEST_F(Preset, WhatTheFileStatesWins) {
  const Plan plan =
      plan_of(config("rewards: [answer], algorithm: algorithm, steps: 5",
                     "  algorithm: {use: vine, preset: wide, clip: 0.1, schedule: {warmup: 7}}\n"));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const Spec& vine = algorithm(plan);
  EXPECT_EQ(vine.options.at("clip").as_double(), 0.1);
  EXPECT_TRUE(vine.marks.contains("clip"));
  EXPECT_EQ(vine.options.at("schedule").at("kind").as_string(), "linear");
  EXPECT_EQ(vine.options.at("schedule").at("warmup").as_int64(), 7);
  EXPECT_EQ(plan.stages[1].spec.options.at("steps").as_int64(), 5);
  EXPECT_EQ(plan.stages[1].spec.options.at("timeout").as_double(), 20);
}

TEST_F(Preset, InPlaceOfATemplateAndBySet) {
  const std::string plain = "  algorithm: {use: vine}\n";
  for (const auto& [text, set] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {config("rewards: [answer], algorithm: {use: vine, preset: wide}"), {}},
           {config("rewards: [answer], algorithm: {of: algorithm, preset: wide}", plain), {}},
           {config("rewards: [answer], algorithm: {of: algorithm, preset: wide}",
                   "  algorithm: {use: vine, preset: whole}\n"),
            {}},
           {config("rewards: [answer], algorithm: algorithm", plain), {"components.algorithm.preset=wide"}},
           {config("rewards: [answer], algorithm: {use: vine}"), {"pipeline.zero.algorithm.preset=wide"}}}) {
    diagnostics = {};
    const Plan plan = plan_of(text, set);
    ASSERT_FALSE(diagnostics.has_errors()) << messages() << text;
    EXPECT_EQ(algorithm(plan).options.at("clip").as_double(), 0.4) << text;
    EXPECT_EQ(plan.stages[1].spec.options.at("steps").as_int64(), 30) << text;
  }
}

TEST_F(Preset, AStageHasPresetsTooAndTheyGoBeforeThoseOfItsSlots) {
  const Plan plan = plan_of(config("preset: brief, rewards: [answer], algorithm: algorithm", kWide));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(plan.stages[1].spec.options.at("steps").as_int64(), 3);
  EXPECT_EQ(plan.stages[1].spec.options.at("timeout").as_double(), 20);
}

TEST_F(Preset, AnOptionWithoutEffectIsAMistakeWhereTheFileGivesItNotWhereAPresetDoes) {
  EXPECT_EQ(algorithm(plan_of(config("rewards: [answer], algorithm: {use: vine, preset: whole}")))
                .options.at("clip")
                .as_double(),
            0.3);
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  plan_of(config("rewards: [answer], algorithm: {use: vine, preset: whole, clip: 0.3}"));
  EXPECT_THAT(messages(),
              HasSubstr("pipeline.zero.algorithm.clip: has no effect: whole sequences are not clipped"));
}

TEST_F(Preset, OneThatIsNotThereIsNamedWithThoseThatAre) {
  plan_of(config("rewards: [{use: answer, preset: strict}], algorithm: {use: vine, preset: wied}"));
  EXPECT_THAT(messages(),
              HasSubstr("c.yaml:7:124: error: pipeline.zero.algorithm.preset: vine 1.0.0 has no preset "
                        "\"wied\". Did you mean \"wide\"? Its presets: wide, whole, unlucky, endless."));
  EXPECT_THAT(messages(),
              HasSubstr("pipeline.zero.rewards.0.preset: answer 1.0.0 has no preset \"strict\". It has no "
                        "presets."));
  diagnostics = {};
  plan_of(config("rewards: [answer], algorithm: {use: vine, preset: [wide]}"));
  EXPECT_THAT(
      messages(),
      HasSubstr("takes the name of a preset, not a list. Its presets: wide, whole, unlucky, endless."));
}

TEST_F(Preset, AnOptionCalledPresetStaysTheComponentsOwn) {
  const Plan plan = plan_of(config("rewards: [{use: named, preset: whatever}]"));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  const Spec& named = *plan.stages[1].spec.slots[2].spec;
  EXPECT_EQ(named.options.at("preset").as_string(), "whatever");
  EXPECT_EQ(named.preset, "");
}

TEST_F(Preset, WhatTheStageHasNoOptionForIsAWarning) {
  plan_of(config("rewards: [answer], algorithm: {use: vine, preset: whole}"));
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_THAT(
      messages(),
      HasSubstr(
          "warning: pipeline.zero.turns: preset whole of vine sets this option of the stage, and a stage "
          "of type rl has no such option: that part of the preset has no effect here"));
}

TEST_F(Preset, WhatTheStageRefusesIsReportedAtThePreset) {
  plan_of(config("rewards: [answer], algorithm: {use: vine, preset: endless}"));
  EXPECT_THAT(messages(), HasSubstr("c.yaml:7:101: error: pipeline.zero.steps: 0 is out of range"));
  diagnostics = {};
  plan_of(config("rewards: [answer], algorithm: {use: vine, preset: unlucky}"));
  EXPECT_THAT(messages(), HasSubstr("c.yaml:7:101: error: pipeline.zero.steps: thirteen is refused (this "
                                    "preset gives the option; state it to change it)"));
  diagnostics = {};
  plan_of(config("rewards: [answer], steps: 13, algorithm: {use: vine, preset: unlucky}"));
  EXPECT_THAT(messages(), HasSubstr("c.yaml:7:70: error: pipeline.zero.steps: thirteen is refused\n"));
}

TEST_F(Preset, TwoThatContradictEachOtherAreAMistakeUntilTheStageSaysWhich) {
  plan_of(config("rewards: [{use: stern, preset: long}], algorithm: algorithm", kWide));
  EXPECT_THAT(messages(),
              HasSubstr("error: pipeline.zero.steps: preset long of stern and preset wide of vine set this "
                        "option of the stage to different values; state it in the stage"));
  EXPECT_THAT(messages(), Not(HasSubstr("pipeline.zero.timeout"))) << "both say the same";
  diagnostics = {};
  plan_of(config("rewards: [{use: stern, preset: long}], algorithm: algorithm, steps: 8", kWide));
  EXPECT_FALSE(diagnostics.has_errors()) << messages();
}

std::set<std::string> stated(const Spec& spec) {
  std::set<std::string> paths;
  for (const auto& [path, mark] : spec.marks) paths.insert(path);
  return paths;
}

// config.yaml of a run folder: the same values, and the same options stated, also where a preset's value has no effect.
TEST_F(Preset, TheResolvedConfigurationReproducesTheRun) {
  const std::string plain = "  algorithm: {use: vine, clip: 0.15}\n";
  for (const std::string& text :
       {config("rewards: [answer], algorithm: algorithm", kWide),
        config("rewards: [answer], algorithm: {use: vine, preset: whole}"),
        config("rewards: [answer], algorithm: {use: vine, preset: wide, clip: 0.2}"),
        config("rewards: [answer], algorithm: {of: algorithm, preset: wide}", plain),
        config("rewards: [answer], algorithm: {of: algorithm, preset: whole}", "  algorithm: {use: vine}\n") +
            "  - {name: more, use: rl, from: zero, data: sums, rewards: [answer], algorithm: algorithm}\n",
        config("preset: brief, rewards: [answer], algorithm: algorithm", kWide)}) {
    diagnostics = {};
    const Plan plan = plan_of(text);
    ASSERT_FALSE(diagnostics.has_errors()) << messages() << text;
    const Plan again = plan_of(plan.resolved, {}, true);
    ASSERT_FALSE(diagnostics.has_errors()) << messages() << plan.resolved;
    EXPECT_EQ(again.resolved, plan.resolved);
    EXPECT_EQ(algorithm(again).options, algorithm(plan).options) << plan.resolved;
    EXPECT_EQ(algorithm(again).idle, algorithm(plan).idle) << plan.resolved;
    EXPECT_EQ(again.stages[1].spec.options.at("steps"), plan.stages[1].spec.options.at("steps"));
    EXPECT_FALSE(again.stages[1].spec.marks.contains("steps"));
    EXPECT_EQ(hash_stages(again), hash_stages(plan)) << plan.resolved;
  }
}

TEST_F(Preset, OptionsThatAreStatedStayStatedInTheResolvedConfiguration) {
  const Plan plan = plan_of(config("rewards: [answer], algorithm: {use: vine, preset: wide, clip: 0.2}"));
  const Plan again = plan_of(plan.resolved, {}, true);
  EXPECT_EQ(stated(algorithm(again)), stated(algorithm(plan)))
      << "the table's default is not the preset's, so that it is a statement";
}

// A run that writes a preset's values out is the same run.
TEST_F(Preset, TheContentHashSeesWhatAPresetGives) {
  const Plan by_name = plan_of(config("rewards: [answer], algorithm: {use: vine, preset: wide}"));
  const Plan by_value =
      plan_of(config("steps: 30, timeout: 20s, rewards: [answer], algorithm: {use: vine, clip: 0.4, "
                     "schedule: {kind: linear}}"));
  const Plan without = plan_of(config("rewards: [answer], algorithm: {use: vine}"));
  ASSERT_FALSE(diagnostics.has_errors()) << messages();
  EXPECT_EQ(hash_stages(by_name), hash_stages(by_value));
  EXPECT_NE(hash_stages(by_name).at("zero"), hash_stages(without).at("zero"));
}

template <class... Items>
std::string wrong(const Items&... items) {
  static constexpr OptionTable kOptions{number("clip", "0.2", "Largest change.", {"0", "1"}),
                                        integer("needed", nullptr, "Yours.", fakes::flags(TENON_O_REQUIRED))};
  const tenon_preset* presets[] = {&items..., nullptr};
  return check_presets(
      fakes::component<tenon_algorithm_vt>("algorithm", "vine", kOptions, &fakes::kLife, presets));
}

TEST(CheckPresets, NamesWhatIsWrong) {
  EXPECT_EQ(wrong(preset("a", "A.", "{}"), preset("b", "B.", R"({"clip": 1})", R"({"anything": [1]})")), "");
  EXPECT_EQ(wrong(preset("a", "A.", "{}"), preset("a", "B.", "{}")), "has the preset \"a\" twice");
  EXPECT_EQ(wrong(preset("", "A.", "{}")), "has a preset without a name");
  EXPECT_EQ(wrong(preset("a", "", "{}")), "preset \"a\" has no doc text");
  EXPECT_EQ(wrong(preset("a", "A.", "[]")), "preset \"a\" has options that are not a JSON object");
  EXPECT_EQ(wrong(preset("a", "A.", "{}", "{")),
            "preset \"a\" has options of the stage that are not a JSON object");
  EXPECT_THAT(wrong(preset("a", "A.", R"({"clip": 2})")),
              HasSubstr("preset \"a\" does not fit the option table: clip: 2 is out of range"));
  EXPECT_THAT(wrong(preset("a", "A.", R"({"clpi": 1})")),
              HasSubstr("there is no option \"clpi\". Did you mean \"clip\"?"));
}

}  // namespace
}  // namespace tenon::host
