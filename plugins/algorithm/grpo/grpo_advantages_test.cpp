// Tests of GRPO's advantages: published numbers, and numbers by hand. The comparison with the papers is in tests/algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
using testing::AllOf;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

class Grpo : public helpers::AlgorithmInstance {
 public:
  explicit Grpo(Options options = {})
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
};
Grpo with(Options options) {
  return Grpo(std::move(options));
}

auto near(double x, double tolerance = 5e-8) {
  return DoubleNear(x, tolerance);
}

// Golden numbers of TRL, verl and OpenRLHF's conventions for r = [1, 0, 0, 1] and [1, 0, 0, 0].
TEST(GrpoAdvantages, PublishedConventions) {
  auto r = helpers::one_group({1, 0, 0, 1});
  EXPECT_THAT(helpers::advantages_of(with({{"std", "\"population\""}, {"std_epsilon", "0"}}).algorithm, r),
              ElementsAre(1, -1, -1, 1));
  for (auto [epsilon, a] : std::vector<std::pair<const char*, double>>{
           {"1e-9", .8660254}, {"1e-6", .8660239}, {"1e-4", .8658754}})
    EXPECT_THAT(helpers::advantages_of(with({{"std_epsilon", epsilon}}).algorithm, r),
                ElementsAre(near(a), near(-a), near(-a), near(a)))
        << epsilon;
  auto single = helpers::one_group({1, 0, 0, 0});
  EXPECT_THAT(helpers::advantages_of(Grpo().algorithm, single),
              ElementsAre(near(1.4997001), near(-.4999000), near(-.4999000), near(-.4999000)));
  EXPECT_THAT(helpers::advantages_of(with({{"std", "\"none\""}}).algorithm, single),
              ElementsAre(.75, -.25, -.25, -.25));
}

TEST(GrpoAdvantages, AGroupWithoutSignalIsExactlyZero) {
  EXPECT_THAT(
      helpers::advantages_of(with({{"std_epsilon", "0"}}).algorithm, helpers::one_group({.1, .1, .1})),
      ElementsAre(0, 0, 0));
  EXPECT_THAT(helpers::advantages_of(with({{"std_epsilon", "0"}}).algorithm, helpers::one_group({3})),
              ElementsAre(0));
}

// The same rewards added up in another order differ in their last bits; that is no signal, whatever they are divided by.
TEST(GrpoAdvantages, RoundingIsNoSignal) {
  const std::vector<std::vector<double>> groups{{.1 + .2, .3},
                                                {1.1 + 2.2, 3.3, 3.3},
                                                {-.3, -.1 - .2, -.3, -.3},
                                                {1e-300 * 3, 1e-300 + 2e-300},
                                                {.7, .1 + .6}};
  for (const char* std : {"sample", "population", "none"})
    for (const char* scale : {"group", "batch"})
      for (const char* advantage : {"outcome", "process"}) {
        if (std == std::string("none") && scale == std::string("batch")) continue;
        const Grpo grpo = with({{"std", "\"" + std::string(std) + "\""},
                                {"std_epsilon", "0"},
                                {"scale", "\"" + std::string(scale) + "\""},
                                {"advantage", "\"" + std::string(advantage) + "\""}});
        for (const std::vector<double>& rewards : groups)
          for (double a : helpers::advantages_of(grpo.algorithm, helpers::one_group(rewards)))
            EXPECT_EQ(a, 0) << std << " " << scale << " " << advantage << " " << rewards[0];
      }
}

// Rewards that differ by little, but by more than rounding: advantages are those of the differences, and add up to 0.
TEST(GrpoAdvantages, SmallDifferencesOfLargeRewardsAreExact) {
  const double step = 0x1p-39;
  for (double base : {1.0, 3.3, 1e9}) {
    const double up = base + base * step, difference = up - base;
    const auto with_none = helpers::advantages_of(with({{"std", "\"none\""}}).algorithm,
                                                  helpers::one_group({base, up, base, base}));
    EXPECT_THAT(with_none,
                ElementsAre(-difference / 4, difference * 3 / 4, -difference / 4, -difference / 4));
    EXPECT_THAT(helpers::advantages_of(with({{"std", "\"population\""}, {"std_epsilon", "0"}}).algorithm,
                                       helpers::one_group({up, base, base, up})),
                ElementsAre(1, -1, -1, 1));
  }
}

// A group that is flat beside another that is not: the batch's deviation is not 0, its advantages are.
TEST(GrpoAdvantages, AFlatGroupOfABatchWithSignalIsZero) {
  Rollout r = helpers::one_group({.1 + .2, .3, 1, 0});
  r.group_id = {1, 1, 2, 2};
  const auto a = helpers::advantages_of(with({{"scale", "\"batch\""}}).algorithm, r);
  EXPECT_EQ(a[0], 0);
  EXPECT_EQ(a[1], 0);
  EXPECT_GT(a[2], 1);
  EXPECT_EQ(a[3], -a[2]);
}

std::string advantages_error(const Grpo& grpo, Rollout r) {
  Algorithm::Metrics metrics;
  try {
    grpo.algorithm.advantages(nullptr, r, metrics);
  } catch (const tenon::Error& e) {
    return e.what();
  }
  return "no error";
}

// Also in a group whose other rewards are equal, and of a sample that is not the first.
TEST(GrpoAdvantages, ARewardThatIsNoNumberIsAnErrorThatNamesIt) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const char* advantage : {"\"outcome\"", "\"process\""}) {
    const Grpo grpo = with({{"advantage", advantage}});
    for (double bad : {nan, inf, -inf})
      for (uint64_t at = 0; at < 3; ++at) {
        Rollout r = helpers::one_group({1, 1, 1});
        r.reward[at] = bad;
        EXPECT_THAT(advantages_error(grpo, r),
                    AllOf(HasSubstr("column reward of sample " + std::to_string(at) + " is "),
                          HasSubstr(std::isnan(bad) ? "nan"
                                    : bad > 0       ? "is inf"
                                                    : "is -inf")));
        r.valid[at] = 0;
        EXPECT_EQ(advantages_error(grpo, r), "no error") << "not valid: not looked at";
      }
    Rollout r = helpers::one_group({1, 1, 1});
    r.token_reward.assign(r.tokens(), nan);
    EXPECT_EQ(advantages_error(grpo, r), "no error") << "no token has a reward";
    r.token_reward[3] = -inf;
    EXPECT_THAT(advantages_error(grpo, r), HasSubstr("column token_reward at token 1 of sample 1 is -inf"));
    r.mask[3] = 0;
    EXPECT_EQ(advantages_error(grpo, r), "no error") << "not scored: not looked at";
  }
}

TEST(GrpoAdvantages, ExtremeRewardsDoNotOverflow) {
  Grpo grpo = with({{"std_epsilon", "0"}, {"std", "\"population\""}});
  for (double big : {1e-320, 1e-200, 1e200, 1.7e308})
    EXPECT_THAT(helpers::advantages_of(grpo.algorithm, helpers::one_group({big, -big})),
                ElementsAre(near(1), near(-1)))
        << big;
  EXPECT_THAT(helpers::advantages_of(grpo.algorithm, helpers::one_group({1e9 + 1, 1e9})),
              ElementsAre(near(1), near(-1)));
}

TEST(GrpoAdvantages, EqualOnlyUpToAnAffineMapOfRewards) {
  Grpo grpo = with({{"std_epsilon", "0"}});
  auto a = helpers::advantages_of(grpo.algorithm, helpers::one_group({1, 0, 3, 1}));
  auto b = helpers::advantages_of(grpo.algorithm,
                                  helpers::one_group({2 * 1 - 7, 2 * 0 - 7, 2 * 3 - 7, 2 * 1 - 7}));
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-14);
}

// TRL 1.16 with scale_rewards="batch", computed with torch in float64: the group's mean, the sample deviation of all rewards.
TEST(GrpoAdvantages, TheScaleOfTheBatchIsThatOfTrl) {
  Rollout r = helpers::one_group({1, 0, 0, 0, 1, 1, 0, 1});
  for (uint64_t i = 4; i < 8; ++i) r.group_id[i] = 6;
  EXPECT_THAT(helpers::advantages_of(with({{"scale", "\"batch\""}}).algorithm, r),
              ElementsAre(near(1.4028590691402953, 1e-15), near(-0.4676196897134318, 1e-15),
                          near(-0.4676196897134318, 1e-15), near(-0.4676196897134318, 1e-15),
                          near(0.4676196897134318, 1e-15), near(0.4676196897134318, 1e-15),
                          near(-1.4028590691402953, 1e-15), near(0.4676196897134318, 1e-15)));
}

// Without rewards of tokens, the outcome is the only step.
TEST(GrpoAdvantages, ProcessOfOutcomesIsOutcome) {
  const Grpo outcome, process = with({{"advantage", "\"process\""}});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Rollout r = tenon::conformance::random_rollout(TENON_NEEDS_GROUPS, seed), same = r;
    Algorithm::Metrics metrics;
    process.algorithm.advantages(nullptr, r, metrics);
    outcome.algorithm.advantages(nullptr, same, metrics);
    EXPECT_EQ(r.advantage, same.advantage);
  }
}

// DeepSeekMath 4.1.3 by hand: R = {1, 0, 0, 1}, its mean 1/2 and population deviation 1/2, so r~ = 1, -1 and -1, 1.
TEST(GrpoAdvantages, ProcessByHand) {
  Rollout r;
  const std::vector<int32_t> prompt{1}, completion{2, 2, 2};
  const std::vector<float> lp{-1, -1, -1};
  for (uint64_t i = 0; i < 2; ++i) r.push(prompt, completion, lp, 1, i, TENON_FINISH_STOP);
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  const double none = std::nan("");
  r.token_reward = {none, none, 1, none, none, none, 0, none};
  r.reward = {0, 1};
  const Grpo grpo = with({{"advantage", "\"process\""}, {"std", "\"population\""}, {"std_epsilon", "0"}});
  Algorithm::Metrics metrics;
  grpo.algorithm.advantages(nullptr, r, metrics);
  EXPECT_THAT(r.advantage, ElementsAre(0, 0, 0, -1, 0, 0, 0, 1));
  EXPECT_EQ(metrics.least["advantage/min"], -1);
  EXPECT_EQ(metrics.most["advantage/max"], 1);
}

TEST(GrpoAdvantages, TheWeightOfTheDivergenceInTheRewardFollowsTheController) {
  Rollout r = helpers::one_group({1, 0});
  r.lp_ref = {0, -2, 0, -1};
  r.kl_scale = 3;
  const Grpo grpo = with({{"std", "\"none\""}, {"beta", "0.1"}, {"kl_in", "\"reward\""}});
  EXPECT_THAT(helpers::advantages_of(grpo.algorithm, r), ElementsAre(near(0.35, 1e-15), near(-0.35, 1e-15)));
  Algorithm::Metrics metrics;
  grpo.algorithm.advantages(nullptr, r, metrics);
  EXPECT_EQ(metrics.sums["kl"], std::pair(1.0, 2.0));
  r.lp_ref.clear();
  EXPECT_THROW(helpers::advantages_of(grpo.algorithm, r), tenon::Error);
}

TEST(GrpoAdvantages, WhatOverflowsIsAnErrorThatNamesTheSample) {
  EXPECT_THROW(helpers::advantages_of(with({{"std", "\"none\""}}).algorithm,
                                      helpers::one_group({1.7e308, -1.7e308, -1.7e308})),
               tenon::Error);
}

TEST(GrpoAdvantages, Metrics) {
  Grpo grpo = with({{"std", "\"none\""}});
  Rollout r = helpers::one_group({1, 0, 0, 0});
  const int32_t token = 1;
  const float lp = -1;
  r.push({&token, 1}, {&token, 1}, {&lp, 1}, 6, 9, TENON_FINISH_STOP);
  Algorithm::Metrics metrics;
  grpo.algorithm.advantages(nullptr, r, metrics);
  EXPECT_NEAR(metrics.sums["reward/group_std"].first, 0.5, 1e-15);
  EXPECT_NEAR(metrics.sums["advantage/std"].first, std::sqrt((.5625 + 3 * .0625) / 5), 1e-15);
}

}  // namespace
