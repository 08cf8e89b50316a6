// Tests of GRPO: published numbers, an independent reference in float64, finite differences, and everything a
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

// Written from the paper, group by group in float64, over ids in any order.
TEST(GrpoAdvantages, AgreeWithThePaperOnUnevenGroups) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Grpo grpo;
    Rollout r = grpo.rollout(seed);
    for (uint64_t i = 0; i < r.size(); ++i) {
      std::vector<double> rewards;
      for (uint64_t j = 0; j < r.size(); ++j)
        if (r.group_id[j] == r.group_id[i] && r.valid[j]) rewards.push_back(r.reward[j]);
      double mean =
                 std::accumulate(rewards.begin(), rewards.end(), 0.0) / static_cast<double>(rewards.size()),
             var = 0;
      for (double x : rewards) var += (x - mean) * (x - mean) / static_cast<double>(rewards.size() - 1);
      double expected = rewards.size() < 2 ? 0 : (r.reward[i] - mean) / (std::sqrt(var) + 1e-4);
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
        EXPECT_NEAR(r.advantage[t], helpers::counts(r, i, t) ? expected : 0, 1e-12)
            << "seed " << seed << " sequence " << i;
    }
  }
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

struct Case {
  const char* name;
  Options options;
  double low, high, beta;
  int kl;
};
const Case kCases[] = {
    {"default", {}, .2, .2, 0, 3},
    {"asymmetric clip", {{"clip_low", "0.1"}, {"clip_high", "0.28"}}, .1, .28, 0, 3},
    {"R1's clip", {{"clip_low", "10"}, {"clip_high", "10"}, {"beta", "0.001"}}, 10, 10, .001, 3},
    {"k1", {{"beta", "0.5"}, {"kl", "\"k1\""}}, .2, .2, .5, 1},
    {"k2", {{"beta", "0.5"}, {"kl", "\"k2\""}}, .2, .2, .5, 2},
    {"k3", {{"beta", "0.5"}, {"kl", "\"k3\""}, {"aggregation", "\"sequence-mean\""}}, .2, .2, .5, 3},
    {"Dr. GRPO",
     {{"std", "\"none\""}, {"aggregation", "\"constant-length\""}, {"length", "64"}},
     .2,
     .2,
     0,
     3},
};

// The loss as printed: min of two products, its derivative by which of them is the smaller.
TEST(GrpoGradient, AgreesWithThePaper) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Grpo grpo(c.options);
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Rollout r = grpo.rollout(seed);
      Algorithm::Metrics metrics;
      auto got = grpo.algorithm.gradient(nullptr, r, metrics);
      double loss = 0;
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
          if (!helpers::counts(r, i, t)) {
            EXPECT_EQ(got.d_logprob[t], 0);
            continue;
          }
          double a = r.advantage[t], rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
          double free = rho * a, clipped = std::min(std::max(rho, 1 - c.low), 1 + c.high) * a;
          double value = -std::min(free, clipped), slope = free <= clipped ? -rho * a : 0;
          double d = double{r.lp_ref[t]} - double{r.lp_new[t]};
          if (c.beta != 0) {
            value += c.beta * (c.kl == 1 ? -d : c.kl == 2 ? d * d / 2 : std::exp(d) - d - 1);
            slope += c.beta * (c.kl == 1 ? 1 : c.kl == 2 ? -d : 1 - std::exp(d));
          }
          loss += r.weight[t] * value;
          EXPECT_NEAR(got.d_logprob[t], r.weight[t] * slope, 1e-6 * std::abs(r.weight[t] * slope) + 1e-12);
        }
      EXPECT_NEAR(got.loss, loss, 1e-12);
    }
  }
}

TEST(GrpoGradient, IsTheDerivativeOfTheLoss) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    helpers::expect_derivative_of_the_loss(Grpo(c.options), c.low, c.high);
  }
}

// DeepSeekMath eq. 4 at lp = −1, lp_ref = −1.2.
TEST(GrpoGradient, EstimatorsOfTheDivergence) {
  struct {
    const char* kl;
    double value, slope;
  } expected[] = {{"\"k1\"", .2, 1}, {"\"k2\"", .02, .2}, {"\"k3\"", .0187307531, .1812692469}};
  for (auto [kl, value, slope] : expected) {
    Grpo grpo = with({{"beta", "1"}, {"kl", kl}});
    Rollout r = helpers::one_group({1, 1});
    r.lp_ref.assign(r.tokens(), -1.2f);
    r.advantage.assign(r.tokens(), 0);
    grpo.weigh(r);
    Algorithm::Metrics metrics;
    auto got = grpo.algorithm.gradient(nullptr, r, metrics);
    EXPECT_NEAR(got.loss, value, 5e-8) << kl;
    EXPECT_NEAR(got.d_logprob[1], slope / 2, 5e-8) << kl;
    EXPECT_NEAR(metrics.sums["kl"].first / metrics.sums["kl"].second, value, 5e-8) << kl;
  }
}

TEST(GrpoGradient, AnySplitIntoMicroBatchesGivesTheSame) {
  Grpo grpo = with({{"beta", "0.1"}});
  helpers::expect_any_split_gives_the_same(grpo.algorithm, grpo.rollout(3));
}

TEST(GrpoGradient, CountsWhatItClips) {
  Grpo grpo;
  Rollout r = helpers::one_group({1, 1, 1, 1});
  r.advantage = {0, 1, 0, 1, 0, -1, 0, -1};
  r.lp_new = {0, -0.5f, 0, -1,
              0, -1.5f, 0, -0.5f};  // ratios 1.65 (clipped above), 1, 0.61 (clipped below), 1.65 (not: A < 0)
  grpo.weigh(r);
  Algorithm::Metrics metrics;
  auto got = grpo.algorithm.gradient(nullptr, r, metrics);
  EXPECT_EQ(metrics.sums["clip_ratio/high"], std::pair(1.0, 4.0));
  EXPECT_EQ(metrics.sums["clip_ratio/low"], std::pair(1.0, 4.0));
  EXPECT_EQ(got.d_logprob[1], 0);
  EXPECT_EQ(got.d_logprob[5], 0);
  EXPECT_NEAR(got.d_logprob[7], std::exp(.5) / 4, 1e-7);
}

TEST(GrpoGradient, OverflowIsAnErrorThatNamesTheSample) {
  Grpo grpo;
  Rollout r = helpers::one_group({1, 0});
  grpo.weigh(r);
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  Algorithm::Metrics metrics;
  r.advantage = {0, 1, 0, 0};
  EXPECT_EQ(grpo.algorithm.gradient(nullptr, r, metrics).loss, -0.6)
      << "clipped at 1.2, and 0 where there is no advantage";
  r.advantage = {0, 1, 0, -1};
  EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
}

TEST(GrpoGradient, MissingColumnsAreAnError) {
  Grpo grpo = with({{"beta", "0.1"}});
  Rollout r = grpo.rollout(1);
  r.lp_ref.clear();
  Algorithm::Metrics metrics;
  EXPECT_THROW(grpo.algorithm.gradient(nullptr, r, metrics), tenon::Error);
}

TEST(GrpoInfo, FollowsTheOptions) {
  helpers::expect_info_follows_the_options(tenon_plugin_query_v1(nullptr));
}

TEST(GrpoCheck, OptionsWithoutEffectAreFound) {
  auto findings = [](Options options) {
    return helpers::findings_of(helpers::component_of(tenon_plugin_query_v1(nullptr)), std::move(options));
  };
  EXPECT_THAT(findings({{"std", "\"none\""}}), ElementsAre());
  EXPECT_THAT(findings({{"std", "\"none\""}, {"std_epsilon", "1e-4"}}),
              ElementsAre("std_epsilon: std: none divides by nothing"));
  EXPECT_THAT(findings({{"kl", "\"k3\""}}),
              ElementsAre("kl: with beta: 0 there is no divergence to estimate"));
  EXPECT_THAT(findings({{"kl", "\"k1\""}, {"beta", "0.1"}}), ElementsAre());
}

}  // namespace
