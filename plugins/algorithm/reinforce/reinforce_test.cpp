// Tests of REINFORCE: numbers by hand, and the checks of the SDK. The comparison with the paper is in tests/algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
using testing::ElementsAre;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

class Reinforce : public helpers::AlgorithmInstance {
 public:
  explicit Reinforce(const char* baseline)
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), {{"baseline", baseline}}) {}
};
const char* const kGroup = "\"group\"";
const char* const kNone = "\"none\"";

TEST(ReinforceAdvantages, ByHand) {
  EXPECT_THAT(helpers::advantages_of(Reinforce(kGroup).algorithm, helpers::one_group({1, 0, 0, 0})),
              ElementsAre(.75, -.25, -.25, -.25));
  EXPECT_THAT(helpers::advantages_of(Reinforce(kNone).algorithm, helpers::one_group({1, 0, -2})),
              ElementsAre(1, 0, -2));
  EXPECT_THAT(helpers::advantages_of(Reinforce(kGroup).algorithm, helpers::one_group({.1, .1, .1})),
              ElementsAre(0, 0, 0))
      << "exactly: a rounding error would be a gradient";
  EXPECT_THAT(helpers::advantages_of(Reinforce(kGroup).algorithm, helpers::one_group({3})), ElementsAre(0));
}

TEST(ReinforceAdvantages, RewardsThatDifferByRoundingTeachNothing) {
  EXPECT_THAT(helpers::advantages_of(Reinforce(kGroup).algorithm, helpers::one_group({1.1 + 2.2, 3.3, 3.3})),
              ElementsAre(0, 0, 0));
}

TEST(ReinforceAdvantages, ARewardThatIsNotFiniteIsAnErrorThatNamesTheSample) {
  for (const char* baseline : {kGroup, kNone})
    for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const Reinforce reinforce(baseline);
      Algorithm::Metrics metrics;
      Rollout r = helpers::one_group({1, bad});
      EXPECT_THAT([&] { reinforce.algorithm.advantages(nullptr, r, metrics); },
                  testing::ThrowsMessage<tenon::Error>(testing::HasSubstr("reward of sample 1 is ")));
    }
}

TEST(ReinforceAdvantages, TokenRewardsCount) {
  Rollout r = helpers::one_group({1, 0});
  r.token_reward = {5, .5, 5, std::nan("")};  // of a prompt token, a completion token, a prompt token, none
  EXPECT_THAT(helpers::advantages_of(Reinforce(kGroup).algorithm, r), ElementsAre(.75, -.75));
}

// Two samples of one token each: w = ½, A = ±½.
TEST(ReinforceGradient, IsMinusWeightTimesAdvantage) {
  const Reinforce reinforce(kGroup);
  Rollout r = reinforce.prepared(helpers::one_group({1, 0}));
  r.lp_new = {0, -2, 0, -3};
  Algorithm::Metrics metrics;
  const auto got = reinforce.algorithm.gradient(nullptr, r, metrics);
  EXPECT_EQ(got.loss, .25 * 2 - .25 * 3);
  EXPECT_THAT(got.d_logprob, ElementsAre(0, -.25, 0, .25));
}

TEST(Reinforce, KeepsTheContract) {
  helpers::expect_conformance(tenon_plugin_query_v1(nullptr), {{}, {{"baseline", kNone}}});
}

TEST(ReinforceGradient, ANumberThatIsNotFiniteIsAnErrorThatNamesTheSample) {
  const Reinforce reinforce(kGroup);
  Rollout r = reinforce.prepared(helpers::one_group({1, 0}));
  r.lp_new[3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(reinforce.error_of(r), testing::HasSubstr("sample 1"));
}

// A loss of 0 whose derivative no float holds.
TEST(ReinforceGradient, ADerivativeThatIsNotFiniteIsAnErrorThatNamesTheToken) {
  const Reinforce reinforce(kNone);
  Rollout r = helpers::one_group({1e39});
  r.lp_new.assign(r.tokens(), 0.0f);
  r = reinforce.prepared(r);
  EXPECT_THAT(reinforce.error_of(r), testing::HasSubstr("token 1 of sample 0: advantage 1e+39, lp_new 0"));
}

TEST(ReinforceInfo, OnlyABaselineNeedsGroups) {
  EXPECT_EQ(Reinforce(kGroup).algorithm.info().needs, uint32_t{TENON_NEEDS_GROUPS | TENON_ON_POLICY});
  EXPECT_EQ(Reinforce(kNone).algorithm.info().needs, uint32_t{TENON_ON_POLICY});
  EXPECT_EQ(Reinforce(kGroup).algorithm.info().aggregation, TENON_TOKEN_MEAN);
}

}  // namespace
