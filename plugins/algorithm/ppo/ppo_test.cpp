// Tests of PPO: published numbers, numbers by hand, and the checks of the SDK. The comparison with the papers is in tests/algorithms.
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
using testing::HasSubstr;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

const float kNan = std::numeric_limits<float>::quiet_NaN();

class Ppo : public helpers::AlgorithmInstance {
 public:
  explicit Ppo(Options options = {})
      : AlgorithmInstance(tenon_plugin_query_v1(nullptr), std::move(options)) {}
  Algorithm::Metrics estimate(Rollout& r) const {
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    return metrics;
  }
};

// One completion with these values before the update, one token each.
Rollout completion(const std::vector<float>& values, const std::vector<uint8_t>& mask, double reward) {
  Rollout r;
  const std::vector<int32_t> ids(values.size(), 1);
  const std::vector<float> lp(values.size(), -1.0f);
  r.push(ids, {}, {}, 1, 1, TENON_FINISH_STOP);
  r.ids.values.clear(), r.ids.offsets = {0, values.size()};
  r.ids.values = ids;
  r.prompt_len = {0};
  r.mask = mask;
  r.lp_sample = r.lp_old = r.lp_new = r.lp_ref = lp;
  r.value = r.value_old = values;
  r.reward = {reward};
  return r;
}

// r = [0, 0, 1], V = [.5, .4, .7], gamma 1; worked by hand from arXiv 1506.02438, eq. 16.
TEST(PpoAdvantages, GoldenNumbers) {
  const auto near = [](double x) { return DoubleNear(x, 1e-7); };
  Rollout r = completion({.5f, .4f, .7f}, {1, 1, 1}, 1);
  Ppo(Options{{"whiten", "false"}}).estimate(r);
  EXPECT_THAT(r.advantage, ElementsAre(near(.5), near(.6), near(.3)));
  EXPECT_THAT(r.value_target, ElementsAre(near(1), near(1), near(1)));
  Ppo().estimate(r);
  EXPECT_THAT(r.advantage,
              ElementsAre(DoubleNear(.218218, 1e-6), DoubleNear(.872871, 1e-6), DoubleNear(-1.091089, 1e-6)));
  EXPECT_THAT(r.value_target, ElementsAre(near(1), near(1), near(1))) << "of advantages before whitening";
  Ppo({{"whiten", "false"}, {"lambda", "0.95"}}).estimate(r);
  EXPECT_THAT(r.advantage, ElementsAre(near(.45575), near(.585), near(.3)));
  EXPECT_THAT(r.value_target, ElementsAre(near(.95575), near(.985), near(1)));
}

// verl, tests/trainer/ppo/test_core_algos_on_cpu.py, test_multi_turn_compute_gae_advantage_return: rewards, mask and values
// of its tokens; what the critic says of observation tokens must not matter. Also: the numbers are those of the
// completion with the observation cut out.
TEST(PpoAdvantages, ObservationTokensAreSkippedAsInVerl) {
  const std::vector<uint8_t> mask{0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0};
  const std::vector<double> rewards{0, 0, .1, .1, .1, 0, 0, .1, 1, 0, 0};
  for (auto [gamma, lambda] : {std::pair(1.0, 1.0), std::pair(.9, .7), std::pair(.31, .83)}) {
    const Ppo ppo(
        {{"gamma", std::to_string(gamma)}, {"lambda", std::to_string(lambda)}, {"whiten", "false"}});
    std::vector<Rollout> runs;
    for (float observed : {-73.0f, 12.0f}) {
      Rollout r = completion({observed, .5f, 4, 5, 6, -observed, .25f, 7, 9, 0, 0}, mask, 0);
      r.token_reward = rewards;
      ppo.estimate(r);
      runs.push_back(r);
    }
    EXPECT_EQ(runs[0].advantage, runs[1].advantage);
    const std::vector<double> value{4, 5, 6, 7, 9}, reward{.1, .1, .1, .1, 1};
    const std::vector<uint64_t> place{2, 3, 4, 7, 8};
    for (size_t k = 0; k < 5; ++k) {
      double a = 0;
      for (size_t l = k; l < 5; ++l)
        a += std::pow(gamma * lambda, static_cast<double>(l - k)) *
             (reward[l] + gamma * (l < 4 ? value[l + 1] : 0) - value[l]);
      EXPECT_NEAR(runs[0].advantage[place[k]], a, 1e-6 * std::abs(a));
      EXPECT_NEAR(runs[0].value_target[place[k]], a + value[k], 1e-6);
      EXPECT_EQ(runs[0].value_target[place[k]], runs[1].value_target[place[k]]);
    }
    for (size_t t : {0, 1, 5, 6, 9, 10}) EXPECT_EQ(runs[0].advantage[t], 0);
  }
}

TEST(PpoAdvantages, NothingToLearnIsExactlyZero) {
  Rollout r = helpers::one_group({.1, .1, .1});
  r.value = r.value_old = std::vector<float>(r.tokens(), .3f);
  Ppo().estimate(r);
  EXPECT_THAT(r.advantage, testing::Each(0.0));
}

TEST(PpoAdvantages, ExplainedVarianceIsOfTheRollout) {
  Rollout r = helpers::one_group({1, 0, 1, 0});
  r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
  auto share = [&] {
    const auto [sum, count] = Ppo().estimate(r).sums.at("value/explained_variance");
    return sum / count;
  };
  EXPECT_NEAR(share(), 0, 1e-12) << "a constant explains nothing";
  for (uint64_t i = 0; i < 4; ++i) r.value_old[2 * i + 1] = i % 2 == 0 ? .75f : .25f;
  EXPECT_NEAR(share(), .75, 1e-12) << "1 − (.25² / .5²)";
  r.reward = {1, 1, 1, 1};
  r.value_old.assign(r.tokens(), .5f);
  EXPECT_TRUE(std::isnan(share())) << "there is nothing to explain";
  r.reward = {.3, .3, .3, .3};
  for (uint64_t t = 0; t < r.tokens(); ++t) r.value_old[t] = .1f * static_cast<float>(t);
  EXPECT_TRUE(std::isnan(share())) << "what value and advantage round apart is nothing to explain, either";
  r.reward = {0, 0, 0, 0};
  EXPECT_TRUE(std::isnan(share())) << "nor where they cancel";
}

TEST(PpoAdvantages, NumbersThatAreNotFiniteAreErrorsThatNameTheSample) {
  auto error_of = [](const std::function<void(Rollout&)>& spoil) -> std::string {
    Rollout r = helpers::one_group({1, 0});
    r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
    spoil(r);
    try {
      Ppo().estimate(r);
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of([](Rollout& r) { r.value_old[3] = kNan; }),
              HasSubstr("sample 1, value_old is nan at token 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.reward[1] = std::nan(""); }),
              HasSubstr("column reward of sample 1 is nan"));
  EXPECT_THAT(error_of([](Rollout& r) { r.reward[0] = 1e300; }), HasSubstr("sample 0"));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_old.clear(); }), HasSubstr("value_old"));
  EXPECT_EQ(error_of([](Rollout&) {}), "no error");
}

TEST(Ppo, KeepsTheContract) {
  helpers::expect_conformance(tenon_plugin_query_v1(nullptr), {{},
                                                               {{"clip_low", "0.1"},
                                                                {"clip_high", "0.3"},
                                                                {"dual_clip", "1.4"},
                                                                {"value_clip", "0.3"},
                                                                {"value_coef", "1"},
                                                                {"entropy", "0.02"},
                                                                {"aggregation", "\"sequence-mean\""}},
                                                               {{"value_clip", "0.5"},
                                                                {"lambda", "0.95"},
                                                                {"beta", "0.1"},
                                                                {"aggregation", "\"constant-length\""},
                                                                {"length", "9"}}});
}

// Three values from V = 0 with R = 1 and bounds of 0.25: inside (½ (0.125 − 1)²), beyond on the way to R (the bound is farther from R, ½ (0.25 − 1)², and has
// no slope), beyond on the way from R (½ (−1 − 1)²).
TEST(PpoGradient, TheLossOfValuesByHand) {
  const Ppo ppo({{"value_clip", "0.25"}, {"value_coef", "0.5"}});
  Rollout r = helpers::one_group({0, 0, 0});
  r.value = {0, .125f, 0, .5f, 0, -1}, r.value_old.assign(r.tokens(), 0.0f);
  r.value_target.assign(r.tokens(), 1.0), r.advantage.assign(r.tokens(), 0.0);
  ppo.weigh(r);
  Algorithm::Metrics metrics;
  const auto got = ppo.algorithm.gradient(nullptr, r, metrics);
  const double sum = (.875 * .875 + .75 * .75 + 4) / 2;
  EXPECT_NEAR(got.loss, .5 * sum / 3, 1e-12);
  EXPECT_NEAR(got.d_value[1], .5 * -.875 / 3, 1e-7);
  EXPECT_EQ(got.d_value[3], 0);
  EXPECT_NEAR(got.d_value[5], .5 * -2 / 3, 1e-7);
  EXPECT_NEAR(metrics.sums.at("value/loss").first, sum, 1e-12);
  EXPECT_EQ(metrics.sums.at("value/loss").second, 3);
  EXPECT_EQ(metrics.sums.at("value/clip_ratio"), std::pair(1.0, 3.0));
}

// verl, tests/trainer/ppo/test_standard_ppo_on_cpu.py: ratio 10, advantage −1.
TEST(PpoGradient, DualClipAsInVerl) {
  auto loss = [](Options options) {
    options["value_coef"] = "0";
    const Ppo ppo(options);
    Rollout r = helpers::one_group({1});
    r.value = r.value_old = std::vector<float>(r.tokens(), 0.0f);
    r.value_target.assign(r.tokens(), 0.0), r.advantage.assign(r.tokens(), -1.0);
    r.lp_old.assign(r.tokens(), 0.0f), r.lp_new.assign(r.tokens(), std::log(10.0f));
    ppo.weigh(r);
    Algorithm::Metrics metrics;
    return ppo.algorithm.gradient(nullptr, r, metrics).loss;
  };
  EXPECT_NEAR(loss({}), 10, 1e-6);
  EXPECT_NEAR(loss({{"dual_clip", "3"}}), 3, 1e-12);
}

TEST(PpoGradient, NumbersThatAreNotFiniteAreErrorsThatNameTheToken) {
  auto error_of = [](const std::function<void(Rollout&)>& spoil) {
    const Ppo ppo(Options{{"entropy", "0.1"}});
    Rollout r = helpers::one_group({1, 0});
    r.value = r.value_old = r.entropy = std::vector<float>(r.tokens(), 0.0f);
    ppo.estimate(r), ppo.weigh(r);
    spoil(r);
    return ppo.error_of(r);
  };
  EXPECT_THAT(error_of([](Rollout& r) { r.value[3] = kNan; }),
              testing::AllOf(HasSubstr("token 1 of sample 1"), HasSubstr("value nan")));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_target[1] = 1e200; }), HasSubstr("token 1 of sample 0"));
  EXPECT_THAT(error_of([](Rollout& r) { r.lp_new[3] = kNan; }), HasSubstr("token 1 of sample 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.entropy[3] = kNan; }), HasSubstr("sample 1"));
  EXPECT_THAT(error_of([](Rollout& r) { r.value_target.clear(); }), HasSubstr("value_target"));
  EXPECT_EQ(error_of([](Rollout&) {}), "no error");
}

// r + γ V′ − V of each link of the chain.
TEST(PpoExplain, DeltaByHand) {
  const Ppo ppo(Options{{"whiten", "false"}});
  Rollout r = completion({.5f, .25f, .75f}, {1, 1, 1}, 1);
  ppo.estimate(r), ppo.weigh(r);
  const auto first = ppo.links_of(r, 0, 0), last = ppo.links_of(r, 0, 2);
  EXPECT_EQ(first.at("next value"), .25);
  EXPECT_EQ(first.at("delta"), 0 + .25 - .5);
  EXPECT_EQ(last.at("next value"), 0);
  EXPECT_EQ(last.at("delta"), 1 - .75);
}

TEST(PpoInfo, FollowsTheOptions) {
  EXPECT_EQ(Ppo().algorithm.info().needs, uint32_t{TENON_NEEDS_VALUE});
  EXPECT_EQ(Ppo({{"beta", "0.1"}, {"entropy", "0.1"}}).algorithm.info().needs,
            uint32_t{TENON_NEEDS_VALUE | TENON_NEEDS_REFERENCE | TENON_NEEDS_ENTROPY});
  EXPECT_EQ(Ppo().algorithm.info().aggregation, TENON_TOKEN_MEAN);
}

TEST(PpoCheck, FindsMistakes) {
  auto findings = [](Options options) {
    return helpers::findings_of(helpers::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  };
  EXPECT_THAT(findings({}), ElementsAre());
  EXPECT_THAT(findings({{"dual_clip", "1"}}),
              ElementsAre(HasSubstr("dual_clip: dual_clip is 1, but must be above 1")));
  EXPECT_THAT(findings({{"value_coef", "0"}}), ElementsAre(HasSubstr("value_coef: value_coef is 0")));
  EXPECT_THAT(findings({{"value_clip", "0"}}), ElementsAre(HasSubstr("value_clip: value_clip is 0")));
  for (const char* bound : {"clip_low", "clip_high"})
    EXPECT_THAT(findings({{bound, "0"}}), ElementsAre(HasSubstr("must be above 0")));
  EXPECT_THAT(findings({{"aggregation", "\"constant-length\""}}), ElementsAre(HasSubstr("length")));
}

TEST(PpoPresets, AreOptionsWithoutMistakes) {
  const tenon_component* component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  for (const char* name : {"trl", "verl", "openrlhf", "r1-lambda-0.95", "r1-lambda-1.0"}) {
    const Options options = helpers::preset_options(tenon_plugin_query_v1(nullptr), name);
    EXPECT_THAT(helpers::findings_of(component, options), ElementsAre()) << name;
    Ppo{options};
  }
}

}  // namespace
