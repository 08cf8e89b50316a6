// Tests of the option `held_out`: evaluation while training changes nothing of it, ends it where nothing rises, and keeps the best.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "rl_lab.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string options(const std::string& held_out, int steps = 6) {
  return R"({"steps": )" + std::to_string(steps) +
         R"(, "prompts": 3, "group_size": 4, "max_new_tokens": 10, "held_out": {"data": "others", "rewards": [{"of": "judge"}], "problems": 2, )" +
         held_out + "}}";
}

// Its judge gives all completions of an evaluation the same number: those of `accuracies`, one evaluation after the other, and then the last one on and on.
struct HeldOutLab : Lab {
  explicit HeldOutLab(const std::string& options, std::deque<double> accuracies = {0.5})
      : Lab(options), accuracies_(std::move(accuracies)) {
    host.slot("held_out/data", others.ref("others"));
    host.slot("held_out/rewards/0", judge.ref("judge"));
  }
  std::vector<uint64_t> evaluated() const {
    std::vector<uint64_t> out;
    for (const auto& step : io.steps)
      if (step.metrics.count("held_out/accuracy") != 0) out.push_back(step.step);
    return out;
  }
  // The weights after so many steps without evaluation.
  static std::vector<float> weights_after(int steps) {
    Lab lab(R"({"steps": )" + std::to_string(steps) +
            R"(, "prompts": 3, "group_size": 4, "max_new_tokens": 10})");
    lab.run();
    return lab.model.weight;
  }

  RowSet others{{{"3+4=", "", "", "{}"}, {"8=", "", "", "{}"}}};
  int judged = 0;
  std::deque<double> accuracies_;
  LambdaReward judge{[this](const Sample&) {
    const size_t evaluation = static_cast<size_t>(judged++ / 2);
    return accuracies_[std::min(evaluation, accuracies_.size() - 1)];
  }};
};

TEST(HeldOut, EvaluationChangesNothingOfTheTraining) {
  HeldOutLab with(options(R"("every": 2)"));
  with.run();
  EXPECT_EQ(with.model.weight, HeldOutLab::weights_after(6));
  EXPECT_THAT(with.evaluated(), ElementsAre(0, 1, 3, 5)) << "in the record of the first step: before it";
  EXPECT_EQ(with.io.steps[1].metric("held_out/accuracy"), 0.5);
  EXPECT_GT(with.io.steps[1].metric("held_out/length"), 0);
  EXPECT_EQ(with.others.taken, 0u) << "rows are read from the beginning, not taken";
}

TEST(HeldOut, TheLastStepIsEvaluatedWhateverTheInterval) {
  HeldOutLab lab(options(R"("every": 4)"));
  lab.run();
  EXPECT_THAT(lab.evaluated(), ElementsAre(0, 3, 5));
}

TEST(HeldOut, TrainingEndsWhereNothingRisesAndStaysEnded) {
  HeldOutLab lab(options(R"("every": 1, "stop_after": 2, "min_improvement": 0.05)", 9),
                 {0.2, 0.4, 0.44, 0.43});
  lab.run();
  ASSERT_EQ(lab.io.steps.size(), 4u) << "0.44 is no rise over 0.4 + 0.05";
  EXPECT_EQ(lab.io.total_steps, 4u) << "the host is told, or takes it for work undone";
  EXPECT_EQ(lab.model.weight, HeldOutLab::weights_after(4)) << "keep: last";
}

TEST(HeldOut, SmallRisesAddUp) {
  HeldOutLab lab(options(R"("every": 1, "stop_after": 2, "min_improvement": 0.05)", 6),
                 {0.2, 0.23, 0.26, 0.29, 0.32, 0.35});
  lab.run();
  EXPECT_EQ(lab.io.steps.size(), 6u);
}

TEST(HeldOut, TheBestParametersAreKept) {
  HeldOutLab lab(options(R"("every": 2, "keep": "best")"), {0.5, 0.6, 0.9, 0.7});
  lab.run();
  EXPECT_EQ(lab.model.weight, HeldOutLab::weights_after(4));
  EXPECT_GT(lab.model.version, 6u) << "what was put back is announced";
  HeldOutLab rising(options(R"("every": 2, "keep": "best")"), {0.5, 0.6, 0.7, 0.9});
  rising.run();
  EXPECT_EQ(rising.model.weight, HeldOutLab::weights_after(6));
}

TEST(HeldOut, AModelThatTrainingOnlyMakesWorseStaysAsItWas) {
  HeldOutLab lab(options(R"("every": 2, "keep": "best", "stop_after": 2)", 20), {0.9, 0.5, 0.6});
  const std::vector<float> before = lab.model.weight;
  lab.run();
  EXPECT_EQ(lab.io.steps.size(), 4u) << "neither evaluation was better than the one before training";
  EXPECT_EQ(lab.io.steps[0].metric("held_out/accuracy"), 0.9);
  EXPECT_EQ(lab.model.weight, before);
  EXPECT_NE(before, HeldOutLab::weights_after(4));
}

TEST(HeldOut, AStageOfOneStepRecordsWhatItMade) {
  HeldOutLab lab(options(R"("keep": "best")", 1), {0.5, 0.7});
  lab.run();
  EXPECT_EQ(lab.io.steps[0].metric("held_out/accuracy"), 0.7);
  EXPECT_EQ(lab.model.weight, HeldOutLab::weights_after(1));
}

// Stopped in the middle and gone on with from what was saved, it ends as if it had not been.
TEST(HeldOut, AResumedRunKeepsTheSameBest) {
  const std::string how = options(R"("every": 1, "keep": "best", "stop_after": 3)", 9);
  const std::deque<double> accuracies{0.5, 0.9, 0.6, 0.7, 0.8};
  HeldOutLab whole(how, accuracies);
  whole.run();
  ASSERT_EQ(whole.io.steps.size(), 5u);
  EXPECT_EQ(whole.model.weight, HeldOutLab::weights_after(2));
  for (const uint64_t stop : {2u, 4u}) {
    HeldOutLab parts(how, accuracies);
    const auto run = [&](const Instance& instance) {
      tenon_call call{};
      call.struct_size = sizeof call;
      ErrorBuffer err;
      err.check(static_cast<const tenon_stage_vt*>(plugin_component().vt)
                    ->run(instance.self(), &call, parts.io.raw(), err));
    };
    std::string state;
    {
      Instance first(plugin_component(), parts.host);
      parts.io.stop_after = stop;
      EXPECT_THROW(run(first), Error);
      state = first.save();
    }
    parts.io.stop_after.reset(), parts.io.set_first_step(stop + 1), parts.sgd.params.clear();
    Instance second(plugin_component(), parts.host);
    second.load(state);
    run(second);
    EXPECT_EQ(parts.model.weight, whole.model.weight) << stop;
    EXPECT_EQ(parts.io.steps.size(), whole.io.steps.size()) << stop;
  }
}

TEST(HeldOut, OptionsThatHaveNoEffectOrContradictEachOther) {
  auto findings = [](const std::string& text) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), text));
  };
  EXPECT_THAT(findings(options(R"("min_improvement": 0.1)")),
              ElementsAre(HasSubstr("held_out.min_improvement")));
  EXPECT_THAT(findings(options(R"("temperature": 0, "samples": 2)")),
              ElementsAre(HasSubstr("held_out.samples: with temperature")));
  EXPECT_THAT(findings(options(R"("every": 1)")), ElementsAre());
}

}  // namespace
}  // namespace tenon::test
