// Tests of REINFORCE: numbers by hand, an independent reference, finite differences.
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

TEST(ReinforceAdvantages, OfUnevenGroups) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Rollout r = Reinforce(kGroup).rollout(seed);
    for (uint64_t i = 0; i < r.size(); ++i) {
      double sum = 0, n = 0;
      for (uint64_t j = 0; j < r.size(); ++j)
        if (r.group_id[j] == r.group_id[i] && r.valid[j]) sum += r.reward[j], n += 1;
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
        EXPECT_NEAR(r.advantage[t], helpers::counts(r, i, t) ? r.reward[i] - sum / n : 0, 1e-14) << seed;
    }
  }
}

TEST(ReinforceGradient, IsMinusWeightTimesAdvantage) {
  for (const char* baseline : {kGroup, kNone})
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const Reinforce reinforce(baseline);
      const Rollout r = reinforce.rollout(seed);
      Algorithm::Metrics metrics;
      const auto got = reinforce.algorithm.gradient(nullptr, r, metrics);
      double loss = 0, tokens = 0;
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
          if (helpers::counts(r, i, t)) tokens += 1;
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
          const double slope = helpers::counts(r, i, t) ? -r.advantage[t] / tokens : 0;
          EXPECT_NEAR(got.d_logprob[t], slope, 1e-6 * std::abs(slope));
          if (slope != 0) loss += slope * double{r.lp_new[t]};
        }
      EXPECT_NEAR(got.loss, loss, 1e-12);
    }
}

TEST(ReinforceGradient, IsTheDerivativeOfTheLoss) {
  helpers::expect_derivative_of_the_loss(Reinforce(kGroup), 1, 1e9);
}

TEST(ReinforceGradient, AnySplitIntoMicroBatchesGivesTheSame) {
  const Reinforce reinforce(kGroup);
  helpers::expect_any_split_gives_the_same(reinforce.algorithm, reinforce.rollout(3));
}

TEST(ReinforceGradient, ANumberThatIsNotFiniteIsAnErrorThatNamesTheSample) {
  const Reinforce reinforce(kGroup);
  Rollout r = reinforce.rollout(3);
  r.lp_new.assign(r.tokens(), std::numeric_limits<float>::infinity());
  EXPECT_THAT(reinforce.error_of(r), testing::HasSubstr("sample 10"));
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
