// Tests of REINFORCE++: numbers by hand, and the checks of the SDK. The comparison with the paper is in tests/algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

class ReinforcePlusPlus : public helpers::AlgorithmInstance {
 public:
  explicit ReinforcePlusPlus(Options options)
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
};
const Options kPlain{}, kGroup{{"baseline", "\"group\""}};

// Rewards 1, 0, 0, 0: mean ¼, unbiased variance ¼. Less the group's mean they are the same after normalisation.
TEST(ReinforcePlusPlusAdvantages, ByHand) {
  const auto high = DoubleNear(1.5, 1e-6), low = DoubleNear(-.5, 1e-6);
  EXPECT_THAT(helpers::advantages_of(ReinforcePlusPlus(kPlain).algorithm, helpers::one_group({1, 0, 0, 0})),
              ElementsAre(high, low, low, low));
  EXPECT_THAT(helpers::advantages_of(ReinforcePlusPlus(kGroup).algorithm, helpers::one_group({1, 0, 0, 0})),
              ElementsAre(high, low, low, low));
  for (const Options& options : {kPlain, kGroup})
    EXPECT_THAT(
        helpers::advantages_of(ReinforcePlusPlus(options).algorithm, helpers::one_group({.1, .1, .1})),
        ElementsAre(0, 0, 0))
        << "exactly";
}

TEST(ReinforcePlusPlusAdvantages, RewardsThatDifferByRoundingTeachNothing) {
  EXPECT_THAT(
      helpers::advantages_of(ReinforcePlusPlus(kGroup).algorithm, helpers::one_group({1.1 + 2.2, 3.3, 3.3})),
      ElementsAre(0, 0, 0));
}

TEST(ReinforcePlusPlusAdvantages, NumbersThatAreNotFiniteAreErrorsThatNameTheSample) {
  for (const Options& options : {Options{{"beta", "0.1"}}, kGroup}) {
    const ReinforcePlusPlus algorithm(options);
    Algorithm::Metrics metrics;
    Rollout r = helpers::one_group({1, std::nan(""), 1});
    const auto advantages = [&] { algorithm.algorithm.advantages(nullptr, r, metrics); };
    EXPECT_THAT(advantages,
                testing::ThrowsMessage<tenon::Error>(HasSubstr("column reward of sample 1 is nan")));
    r.reward[1] = 0;
    EXPECT_NO_THROW(advantages());
    if (options.count("beta") == 0) continue;
    r.lp_ref[5] = std::nanf("");
    EXPECT_THAT(advantages,
                testing::ThrowsMessage<tenon::Error>(HasSubstr("sample 2, lp_ref is nan at token 1")));
  }
}

// A tool's tokens in the middle of a completion: the outcome reaches what came before them.
TEST(ReinforcePlusPlusAdvantages, ObservationTokensDoNotEraseTheOutcome) {
  const std::vector<int32_t> prompt{1}, completion{2, 2, 2};
  const std::vector<float> lp{-1, -1, -1};
  Rollout tool;
  for (uint64_t i = 0; i < 2; ++i) {
    tool.push(prompt, completion, lp, 1, i, TENON_FINISH_STOP);
    tool.reward.back() = i == 0 ? 1 : 0;
    tool.mask[tool.ids.offsets[i] + 2] = 0;
  }
  tool.lp_old = tool.lp_new = tool.lp_ref = tool.lp_sample;
  Algorithm::Metrics metrics;
  ReinforcePlusPlus(kPlain).algorithm.advantages(nullptr, tool, metrics);
  EXPECT_GT(tool.advantage[1], .5);
  EXPECT_EQ(tool.advantage[1], tool.advantage[3]);
  EXPECT_EQ(tool.advantage[2], 0);
}

TEST(ReinforcePlusPlus, KeepsTheContract) {
  helpers::expect_conformance(tenon_plugin_query_v1(nullptr),
                              {{},
                               {{"clip_low", "0.1"}, {"clip_high", "0.3"}, {"beta", "0.1"}},
                               {{"baseline", "\"group\""},
                                {"clip_low", "0.1"},
                                {"clip_high", "0.3"},
                                {"beta", "0.2"},
                                {"aggregation", "\"sequence-mean\""}}});
}

// k2 of the token 0.5 from the reference, kl_scale ½: β ½ · ½ · 0.5², beside −A at ratio 1.
TEST(ReinforcePlusPlusGradient, TheDivergenceOfABaselineIsInTheLoss) {
  const ReinforcePlusPlus algorithm({{"baseline", "\"group\""}, {"beta", "0.2"}});
  Rollout r = helpers::one_group({1});
  algorithm.weigh(r);
  r.kl_scale = .5, r.advantage = {0, 3}, r.lp_ref[1] = -1.5f;
  Algorithm::Metrics metrics;
  const auto got = algorithm.algorithm.gradient(nullptr, r, metrics);
  EXPECT_NEAR(got.loss, -3 + .2 * .5 * .125, 1e-12);
  EXPECT_NEAR(got.d_logprob[1], -3 + .2 * .5 * .5, 1e-6);
  EXPECT_EQ(metrics.sums.count("kl"), 1u);
}

TEST(ReinforcePlusPlusGradient, OverflowIsAnErrorThatNamesTheSample) {
  const ReinforcePlusPlus algorithm(kPlain);
  Rollout r = helpers::one_group({1, 0});
  algorithm.weigh(r);
  r.lp_old.assign(r.tokens(), -1000), r.lp_new.assign(r.tokens(), 0);
  r.advantage = {0, 0, 0, -1};
  EXPECT_THAT(algorithm.error_of(r), HasSubstr("sample 1"));
  r.reward = {1e300, 0};
  Algorithm::Metrics metrics;
  EXPECT_THROW(algorithm.algorithm.advantages(nullptr, r, metrics), tenon::Error);
}

TEST(ReinforcePlusPlusInfo, OnlyABaselineNeedsGroups) {
  auto needs = [](Options options) { return ReinforcePlusPlus(std::move(options)).algorithm.info().needs; };
  EXPECT_EQ(needs(kPlain), 0u);
  EXPECT_EQ(needs(kGroup), uint32_t{TENON_NEEDS_GROUPS});
  EXPECT_EQ(needs({{"beta", "0.1"}}), uint32_t{TENON_NEEDS_REFERENCE});
}

TEST(ReinforcePlusPlusCheck, OptionsWithoutEffectAreFound) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_THAT(helpers::findings_of(component, Options{{"gamma", "0.9"}}), ElementsAre());
  EXPECT_THAT(helpers::findings_of(component, {{"gamma", "0.9"}, {"baseline", "\"group\""}}),
              ElementsAre(HasSubstr("gamma: with baseline: group")));
}

TEST(ReinforcePlusPlusPresets, AreOptionsWithoutMistakes) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  for (const char* name : {"general", "baseline"}) {
    const Options options = helpers::preset_options(tenon_plugin_query_v1(nullptr), name);
    EXPECT_THAT(helpers::findings_of(component, options), ElementsAre()) << name;
    ReinforcePlusPlus{options};
  }
}

}  // namespace
