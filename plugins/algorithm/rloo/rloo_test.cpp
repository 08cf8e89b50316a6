// Tests of RLOO: published numbers, numbers by hand, and the checks of the SDK. The comparison with the paper is in tests/algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
using testing::DoubleNear;
using testing::ElementsAre;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

class Rloo : public helpers::AlgorithmInstance {
 public:
  explicit Rloo(Options options = {})
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
};
Rloo with(Options options) {
  return Rloo(std::move(options));
}

TEST(RlooAdvantages, PublishedNumbers) {
  auto third = DoubleNear(-1.0 / 3, 1e-15);
  EXPECT_THAT(helpers::advantages_of(Rloo().algorithm, helpers::one_group({1, 0, 0, 0})),
              ElementsAre(1, third, third, third));
  EXPECT_THAT(helpers::advantages_of(Rloo().algorithm, helpers::one_group({.1, .1, .1})),
              ElementsAre(0, 0, 0));
  EXPECT_THAT(helpers::advantages_of(Rloo().algorithm, helpers::one_group({3})), ElementsAre(0))
      << "nobody to leave out";
}

// Each baseline is the mean of the others' rewards, computed one by one.
TEST(RlooAdvantages, RewardsThatDifferByRoundingTeachNothing) {
  EXPECT_THAT(helpers::advantages_of(Rloo().algorithm, helpers::one_group({1.1 + 2.2, 3.3, 3.3})),
              ElementsAre(0, 0, 0));
  EXPECT_THAT(helpers::advantages_of(Rloo().algorithm, helpers::one_group({1e6 + 1, 1e6, 1e6})),
              ElementsAre(1, -.5, -.5))
      << "what rewards have in common is not rounded into their differences";
}

TEST(RlooAdvantages, NumbersThatAreNotFiniteAreErrorsThatNameTheSample) {
  const Rloo rloo(Options{{"beta", "0.1"}});
  const auto error_of = [&](const std::function<void(Rollout&)>& spoil) -> std::string {
    Rollout r = helpers::one_group({1, 1, 0});
    r.token_reward.assign(r.tokens(), std::nan(""));
    spoil(r);
    Algorithm::Metrics metrics;
    try {
      rloo.algorithm.advantages(nullptr, r, metrics);
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of([](Rollout&) {}), "no error");
  EXPECT_THAT(error_of([](Rollout& r) { r.reward[2] = std::nan(""); }),
              testing::HasSubstr("column reward of sample 2 is nan"));
  EXPECT_THAT(error_of([](Rollout& r) { r.token_reward[3] = HUGE_VAL; }),
              testing::HasSubstr("column token_reward at token 1 of sample 1 is inf"));
  EXPECT_THAT(error_of([](Rollout& r) { r.lp_ref[3] = std::nanf(""); }),
              testing::HasSubstr("sample 1 is not finite: lp_ref is nan at token 1"));
}

TEST(RlooAdvantages, OverflowIsAnError) {
  EXPECT_THROW(helpers::advantages_of(Rloo().algorithm, helpers::one_group({1.7e308, -1.7e308})),
               tenon::Error);
}

std::string json(const std::string& text) {
  return "\"" + text + "\"";
}
Options preset(const char* name) {
  return helpers::preset_options(tenon_plugin_query_v1(nullptr), name);
}

TEST(Rloo, KeepsTheContract) {
  const std::string mean = json("sequence-mean");
  helpers::expect_conformance(
      tenon_plugin_query_v1(nullptr),
      {{},
       {{"clip_low", "0.05"}, {"clip_high", "0.3"}, {"beta", "0.1"}, {"aggregation", mean}},
       {{"ratio", json("sequence")}, {"clip_low", "0.5"}, {"aggregation", mean}},
       preset("trl"),
       preset("back-to-basics")});
}

TEST(RlooPresets, AreOptionsWithoutMistakes) {
  for (const char* name : {"trl", "back-to-basics"})
    EXPECT_THAT(helpers::findings_of(helpers::component_of(tenon_plugin_query_v1(nullptr)), preset(name)),
                ElementsAre());
}

// On-policy both losses have the gradient −w A.
TEST(RlooGradient, BothLossesAgreeOnPolicy) {
  Rloo clipped, reinforce = with({{"loss", "\"reinforce\""}});
  Rollout r = clipped.rollout(5, {.drift = 0, .far_drift = 0});
  Algorithm::Metrics metrics;
  EXPECT_EQ(clipped.algorithm.gradient(nullptr, r, metrics).d_logprob,
            reinforce.algorithm.gradient(nullptr, r, metrics).d_logprob);
}

TEST(RlooGradient, OverflowIsAnErrorThatNamesTheSample) {
  Rloo rloo;
  Rollout r = helpers::one_group({1, 0});
  rloo.weigh(r);
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  r.advantage = {0, 0, 0, -1};
  EXPECT_THAT(rloo.error_of(r), testing::HasSubstr("sample 1"));
}

// The product of a completion's ratios has no token of its own: an error names the one that is to blame.
TEST(RlooGradient, ANumberOfACompletionThatIsNotFiniteNamesItsToken) {
  const Rloo rloo({{"ratio", json("sequence")}, {"aggregation", json("sequence-mean")}});
  Rollout r;
  const std::vector<int32_t> prompt{1}, completion{2, 2, 2};
  for (uint64_t i = 0; i < 2; ++i) {
    r.push(prompt, completion, std::vector<float>{-1, -1, -1}, 4, i, TENON_FINISH_STOP);
    r.reward.back() = static_cast<double>(i);
  }
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  r = rloo.prepared(r);
  r.lp_new[6] = std::nanf("");
  EXPECT_THAT(rloo.error_of(r), testing::HasSubstr("token 2 of sample 1"));
}

TEST(RlooInfo, FollowsTheOptions) {
  helpers::expect_info_follows_the_options(tenon_plugin_query_v1(nullptr));
  EXPECT_EQ(with({{"loss", json("reinforce")}}).algorithm.info().needs,
            uint32_t{TENON_NEEDS_GROUPS | TENON_ON_POLICY});
}

TEST(RlooAdvantages, AMissingReferenceIsAnError) {
  Rollout r = helpers::one_group({1, 0});
  r.lp_ref.clear();
  EXPECT_THROW(helpers::advantages_of(with({{"beta", "0.1"}}).algorithm, r), tenon::Error);
}

TEST(RlooCheck, OptionsWithoutEffectAreFound) {
  auto findings = [](Options options) {
    return helpers::findings_of(helpers::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  };
  EXPECT_THAT(findings({{"loss", "\"reinforce\""}}), ElementsAre());
  EXPECT_THAT(findings({{"loss", json("reinforce")}, {"ratio", json("sequence")}}),
              ElementsAre("ratio: loss: reinforce has no ratio"));
  EXPECT_THAT(
      findings({{"ratio", json("sequence")}}),
      ElementsAre(testing::StartsWith("aggregation: ratio: sequence gives each completion one ratio")));
  EXPECT_THAT(findings({{"clip_low", "0"}}),
              ElementsAre(testing::StartsWith("clip_low: clip_low is 0, but must be above 0")));
  EXPECT_THAT(findings({{"loss", "\"reinforce\""}, {"clip_low", "0.2"}, {"clip_high", "0.3"}}),
              ElementsAre("clip_low: only loss: clipped bounds the ratio",
                          "clip_high: only loss: clipped bounds the ratio"));
}

}  // namespace
