// Tests of DPO: numbers by hand, and the checks of the SDK. The comparison with the papers is in tests/algorithms.
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

class Dpo : public helpers::AlgorithmInstance {
 public:
  explicit Dpo(Options options) : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
};

// The wins of each sample less its defeats, as a share of all pairs.
TEST(DpoAdvantages, AreWinsLessDefeats) {
  const auto of = [](Options options, const std::vector<double>& rewards) {
    return helpers::advantages_of(Dpo(std::move(options)).algorithm, helpers::one_group(rewards));
  };
  const auto third = [](double x) { return DoubleNear(x / 3, 1e-15); };
  EXPECT_THAT(of({}, {1, 0, 0, 0}), ElementsAre(1, third(-1), third(-1), third(-1)));
  EXPECT_THAT(of({}, {2, 1, 0}), ElementsAre(third(2), 0, third(-2)));
  EXPECT_THAT(of({{"pairs", "\"best-worst\""}}, {1, 2, 0, 0, 2}), ElementsAre(0, 1, -1, 0, 0))
      << "the first of equals";
  EXPECT_THAT(of({}, {.5, .5}), ElementsAre(0, 0));
  EXPECT_THAT(of({}, {7}), ElementsAre(0));
}

TEST(DpoAdvantages, RewardsThatDifferByRoundingMakeNoPair) {
  for (const char* pairs : {"\"all\"", "\"best-worst\""}) {
    const Dpo dpo(Options{{"pairs", pairs}});
    EXPECT_THAT(helpers::advantages_of(dpo.algorithm, helpers::one_group({1.1 + 2.2, 3.3})),
                ElementsAre(0, 0));
  }
}

TEST(DpoAdvantages, ARewardThatIsNotFiniteIsAnErrorThatNamesTheSample) {
  const Dpo dpo({});
  Rollout r = helpers::one_group({1, std::nan(""), 1});
  dpo.weigh(r);
  EXPECT_THAT(dpo.error_of(r), HasSubstr("column reward of sample 1 is nan"));
  Algorithm::Metrics metrics;
  EXPECT_THROW(dpo.algorithm.advantages(nullptr, r, metrics), tenon::Error);
}

// The loss of Bradley and Terry at a margin of 0.3: −log σ(0.3), and its derivative by the margin.
TEST(DpoGradient, GoldenNumbers) {
  const Dpo dpo(Options{{"beta", "1"}});
  Rollout r = helpers::one_group({1, 0});
  dpo.weigh(r);
  r.lp_new[1] = 0, r.lp_ref[1] = -.3f, r.lp_new[3] = r.lp_ref[3] = -1;
  Algorithm::Metrics metrics;
  const auto got = dpo.algorithm.gradient(nullptr, r, metrics);
  EXPECT_NEAR(got.loss, .5543552445, 1e-8) << "lp_ref is a float";
  EXPECT_NEAR(got.d_logprob[1], -.4255574832, 1e-7);
  EXPECT_NEAR(got.d_logprob[3], .4255574832, 1e-7);
}

// At the reference all margins are 0: the loss is log 2, and beta/2 of the pair's weight goes to each side.
TEST(DpoGradient, AtTheReference) {
  const Dpo dpo({});
  Rollout r = helpers::one_group({0, 1});
  dpo.weigh(r);
  Algorithm::Metrics metrics;
  const auto got = dpo.algorithm.gradient(nullptr, r, metrics);
  EXPECT_NEAR(got.loss, std::log(2.0), 1e-15);
  EXPECT_THAT(got.d_logprob,
              ElementsAre(0, testing::FloatNear(.05f, 1e-8f), 0, testing::FloatNear(-.05f, 1e-8f)));
  EXPECT_EQ(metrics.sums.at("dpo/accuracy"), std::pair(0.0, 1.0));
}

// A pair of sequences of three and two tokens; margins worked by hand.
TEST(DpoGradient, ByHand) {
  const Dpo dpo(Options{{"beta", "0.5"}});
  Rollout r;
  const std::vector<int32_t> prompt{1}, three{2, 2, 2}, two{2, 2};
  r.push(prompt, three, std::vector<float>{-1, -1, -1}, 4, 0, TENON_FINISH_STOP);
  r.push(prompt, two, std::vector<float>{-1, -1}, 4, 1, TENON_FINISH_STOP);
  r.reward = {1, 0};
  r.lp_old = r.lp_new = r.lp_ref = r.lp_sample;
  r.lp_new[1] = -.5f, r.lp_new[2] = -.75f;  // s of the chosen one: ½ + ¼
  r.lp_new[6] = -1.25f;                     // of the rejected one: −¼
  dpo.weigh(r);
  Algorithm::Metrics metrics;
  const auto got = dpo.algorithm.gradient(nullptr, r, metrics);
  const double margin = .5 * (.75 + .25), slope = .5 / (1 + std::exp(margin));
  EXPECT_NEAR(got.loss, std::log1p(std::exp(-margin)), 1e-12);
  for (uint64_t t : {1, 2, 3}) EXPECT_NEAR(got.d_logprob[t], -slope, 1e-7);
  for (uint64_t t : {5, 6}) EXPECT_NEAR(got.d_logprob[t], slope, 1e-7);
  EXPECT_EQ(metrics.sums.at("dpo/accuracy"), std::pair(1.0, 1.0));
  EXPECT_NEAR(metrics.sums.at("dpo/margin").first, margin, 1e-12);
  EXPECT_NEAR(metrics.sums.at("dpo/chosen").first, .5 * .75, 1e-12);
  EXPECT_NEAR(metrics.sums.at("dpo/rejected").first, .5 * -.25, 1e-12);
}

// Groups of one size that all have a pair: L is the mean over prompts of the mean over a prompt's pairs.
TEST(DpoGradient, IsAMeanOverPrompts) {
  Rollout r = helpers::one_group({1, 0, 0, 0, 1, 1, 0, 0});
  for (uint64_t i = 4; i < 8; ++i) r.group_id[i] = 6;
  const Dpo dpo({});
  dpo.weigh(r);
  Algorithm::Metrics metrics;
  EXPECT_NEAR(dpo.algorithm.gradient(nullptr, r, metrics).loss, std::log(2.0), 1e-14);
  EXPECT_EQ(metrics.sums.at("dpo/accuracy").second, 3 + 4);
}

TEST(DpoGradient, MarginsFarFromZeroDoNotOverflow) {
  const Dpo dpo(Options{{"beta", "1"}});
  for (float drift : {-2000.0f, 2000.0f}) {
    Rollout r = helpers::one_group({1, 0});
    dpo.weigh(r);
    r.lp_ref[1] = r.lp_new[1] - drift;
    Algorithm::Metrics metrics;
    const auto got = dpo.algorithm.gradient(nullptr, r, metrics);
    EXPECT_NEAR(got.loss, drift > 0 ? 0 : 2000, 1e-9);
    EXPECT_NEAR(got.d_logprob[1], drift > 0 ? 0 : -1, 1e-7);
  }
}

// A sample that the stage masks after `advantages` has no part in any pair.
TEST(DpoGradient, AMaskedSampleLeavesThePairs) {
  const Dpo dpo({});
  Rollout r = helpers::one_group({1, 0, 0});
  r.valid[2] = 0;
  dpo.weigh(r);
  Algorithm::Metrics metrics;
  EXPECT_NEAR(dpo.algorithm.gradient(nullptr, r, metrics).loss, std::log(2.0), 1e-15);
  EXPECT_EQ(metrics.sums.at("dpo/accuracy").second, 1);
}

TEST(DpoGradient, NumbersThatAreNotFiniteAreErrorsThatNameTheToken) {
  const Dpo dpo({});
  Rollout r = helpers::one_group({1, 0});
  dpo.weigh(r);
  r.lp_new[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(dpo.error_of(r), testing::AllOf(HasSubstr("token 1 of sample 1"), HasSubstr("lp_new nan")));
  r.lp_ref.clear();
  EXPECT_THAT(dpo.error_of(r), HasSubstr("lp_ref"));
}

TEST(Dpo, KeepsTheContract) {
  helpers::expect_conformance(tenon_plugin_query_v1(nullptr), {{},
                                                               {{"beta", "2"}, {"label_smoothing", "0.2"}},
                                                               {{"beta", "0.3"}, {"loss", "\"ipo\""}},
                                                               {{"beta", "1"}, {"pairs", "\"best-worst\""}}});
}

TEST(DpoInfo, NeedsWholeGroupsAndAReference) {
  const auto info = Dpo({}).algorithm.info();
  EXPECT_EQ(info.needs, uint32_t{TENON_NEEDS_REFERENCE | TENON_NEEDS_GROUPS | TENON_WHOLE_GROUPS |
                                 TENON_FIXED_ADVANTAGE});
  EXPECT_EQ(info.aggregation, TENON_CONSTANT_LENGTH);
  EXPECT_EQ(info.constant, 1);
}

TEST(DpoCheck, FindsMistakes) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_THAT(helpers::findings_of(component, Options{}), ElementsAre());
  EXPECT_THAT(helpers::findings_of(component, Options{{"beta", "0"}}),
              ElementsAre(HasSubstr("beta: must be above 0")));
  EXPECT_THAT(helpers::findings_of(component, {{"loss", "\"ipo\""}, {"label_smoothing", "0.1"}}),
              ElementsAre(HasSubstr("label_smoothing: only loss: sigmoid")));
}

TEST(DpoPresets, AreOptionsWithoutMistakes) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  for (const char* name : {"ipo", "cdpo"}) {
    const Options options = helpers::preset_options(tenon_plugin_query_v1(nullptr), name);
    EXPECT_THAT(helpers::findings_of(component, options), ElementsAre()) << name;
    Dpo{options};
  }
}

}  // namespace
