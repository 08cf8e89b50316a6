// Tests of REINFORCE++: numbers by hand, an independent reference in float64, finite differences, and everything a
// rollout may hold.
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

// A by its definition, then mean and variance in two passes, over tokens.
std::vector<double> reference(const Rollout& r, bool baseline, double gamma, double beta) {
  std::vector<double> a(r.tokens());
  double n = 0, sum = 0, squares = 0;
  auto for_all = [&](auto&& f) {
    for (uint64_t i = 0; i < r.size(); ++i)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
        if (helpers::counts(r, i, t)) f(i, t);
  };
  auto token_reward = [&](uint64_t t) {
    return r.token_reward.empty() || std::isnan(r.token_reward[t]) ? 0 : r.token_reward[t];
  };
  std::vector<double> total(r.size()), last(r.size());
  for (uint64_t i = 0; i < r.size(); ++i) total[i] = r.reward[i];
  for_all([&](uint64_t i, uint64_t t) { total[i] += token_reward(t), last[i] = static_cast<double>(t); });
  for_all([&](uint64_t i, uint64_t t) {
    if (baseline) {
      double of_group = 0, members = 0;
      for (uint64_t j = 0; j < r.size(); ++j)
        if (r.group_id[j] == r.group_id[i] && r.valid[j]) of_group += total[j], members += 1;
      a[t] = total[i] - of_group / members;
    } else {
      double discount = 1;
      for (uint64_t s = t; s < r.ids.offsets[i + 1]; ++s) {
        if (!helpers::counts(r, i, s)) continue;
        const double outcome = static_cast<double>(s) == last[i] ? r.reward[i] : 0;
        a[t] += discount * (outcome + token_reward(s) -
                            (beta == 0 ? 0 : beta * (double{r.lp_old[s]} - double{r.lp_ref[s]})));
        discount *= gamma;
      }
    }
    n += 1, sum += a[t];
  });
  for_all([&](uint64_t, uint64_t t) { squares += std::pow(a[t] - sum / n, 2); });
  for_all([&](uint64_t, uint64_t t) { a[t] = (a[t] - sum / n) / std::sqrt(squares / (n - 1) + 1e-8); });
  return a;
}

TEST(ReinforcePlusPlusAdvantages, AgreeWithTheDefinition) {
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (bool baseline : {false, true})
      for (auto [gamma, beta] : {std::pair(1.0, 0.0), std::pair(.9, .3)}) {
        Options options{{"beta", std::to_string(beta)}};
        if (baseline)
          options["baseline"] = "\"group\"";
        else
          options["gamma"] = std::to_string(gamma);
        const ReinforcePlusPlus algorithm(options);
        Rollout r = helpers::random_rollout(seed);
        if (seed % 2 == 0) helpers::add_token_rewards(r, seed);
        r.kl_scale = 2;
        Algorithm::Metrics metrics;
        algorithm.algorithm.advantages(nullptr, r, metrics);
        const auto want = reference(r, baseline, gamma, 2 * beta);
        for (uint64_t t = 0; t < r.tokens(); ++t)
          EXPECT_NEAR(r.advantage[t], want[t], 1e-10) << "seed " << seed << " token " << t;
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

TEST(ReinforcePlusPlusAdvantages, BitsDoNotDependOnTheOrderOfSequences) {
  for (const Options& options : {Options{{"beta", "0.1"}, {"gamma", "0.9"}}, kGroup}) {
    const ReinforcePlusPlus algorithm(options);
    Rollout r = algorithm.rollout(4);
    std::vector<uint64_t> rows(r.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::shuffle(rows.begin(), rows.end(), std::mt19937_64(9));
    const Rollout expected = r.select(rows);
    Rollout moved = expected;
    Algorithm::Metrics metrics;
    algorithm.algorithm.advantages(nullptr, moved, metrics);
    EXPECT_EQ(moved.advantage, expected.advantage);
  }
}

const Options kCases[] = {{},
                          {{"clip_low", "0.1"}, {"clip_high", "0.3"}, {"beta", "0.1"}},
                          {{"baseline", "\"group\""},
                           {"clip_low", "0.1"},
                           {"clip_high", "0.3"},
                           {"beta", "0.2"},
                           {"aggregation", "\"sequence-mean\""}}};

TEST(ReinforcePlusPlusGradient, AgreesWithThePaper) {
  for (const Options& options : kCases) {
    const ReinforcePlusPlus algorithm(options);
    const bool is_narrow = options.count("clip_low") != 0;
    const double low = is_narrow ? .1 : .2, high = is_narrow ? .3 : .2,
                 beta = options.count("baseline") ? .2 : 0;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Rollout r = algorithm.rollout(seed);
      r.kl_scale = .5;
      Algorithm::Metrics metrics;
      const auto got = algorithm.algorithm.gradient(nullptr, r, metrics);
      double loss = 0;
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
          if (!helpers::counts(r, i, t)) {
            EXPECT_EQ(got.d_logprob[t], 0);
            continue;
          }
          const double a = r.advantage[t], rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
          const double free = rho * a, bounded = std::min(std::max(rho, 1 - low), 1 + high) * a;
          const double apart = double{r.lp_new[t]} - double{r.lp_ref[t]};
          const double slope = (free <= bounded ? -rho * a : 0) + beta * .5 * apart;
          loss += r.weight[t] * (-std::min(free, bounded) + beta * .5 * apart * apart / 2);
          EXPECT_NEAR(got.d_logprob[t], r.weight[t] * slope, 1e-6 * std::abs(r.weight[t] * slope) + 1e-12);
        }
      EXPECT_NEAR(got.loss, loss, 1e-12);
      EXPECT_EQ(metrics.sums.count("kl"), beta != 0 ? 1u : 0u);
    }
  }
}

TEST(ReinforcePlusPlusGradient, IsTheDerivativeOfTheLoss) {
  for (const Options& options : kCases)
    helpers::expect_derivative_of_the_loss(ReinforcePlusPlus(options), options.count("clip_low") ? .1 : .2,
                                           options.count("clip_low") ? .3 : .2);
}

TEST(ReinforcePlusPlusGradient, AnySplitIntoMicroBatchesGivesTheSame) {
  const ReinforcePlusPlus algorithm(kCases[2]);
  helpers::expect_any_split_gives_the_same(algorithm.algorithm, algorithm.rollout(3));
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

TEST(ReinforcePlusPlusExplain, EndsInTheGradient) {
  for (const Options& options : kCases) {
    const ReinforcePlusPlus algorithm(options);
    helpers::expect_explanations_agree(algorithm, algorithm.rollout(6));
  }
}

TEST(ReinforcePlusPlusInfo, OnlyABaselineNeedsGroups) {
  auto needs = [](Options options) { return ReinforcePlusPlus(std::move(options)).algorithm.info().needs; };
  EXPECT_EQ(needs(kPlain), 0u);
  EXPECT_EQ(needs(kGroup), uint32_t{TENON_NEEDS_GROUPS});
  EXPECT_EQ(needs(kCases[1]), uint32_t{TENON_NEEDS_REFERENCE});
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
    const Options options = helpers::preset_options(tenon_plugin_query_v1(nullptr), name).component;
    EXPECT_THAT(helpers::findings_of(component, options), ElementsAre()) << name;
    ReinforcePlusPlus{options};
  }
}

}  // namespace
