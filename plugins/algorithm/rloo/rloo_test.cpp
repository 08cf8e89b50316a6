// Tests of RLOO: published numbers, an independent reference in float64, finite differences, and everything a
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
TEST(RlooAdvantages, LeaveOneOutOnUnevenGroups) {
  for (double beta : {0.0, 0.3})
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Rloo rloo = with({{"beta", std::to_string(beta)}});
      Rollout r = rloo.rollout(seed);
      auto shaped = [&](uint64_t i) {
        double kl = 0;
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
          if (r.mask[t]) kl += double{r.lp_old[t]} - double{r.lp_ref[t]};
        return r.reward[i] - beta * kl;
      };
      for (uint64_t i = 0; i < r.size(); ++i) {
        double others = 0, n = 0;
        for (uint64_t j = 0; j < r.size(); ++j)
          if (j != i && r.group_id[j] == r.group_id[i] && r.valid[j])
            others += beta != 0 ? shaped(j) : r.reward[j], n += 1;
        double own = beta != 0 ? shaped(i) : r.reward[i], expected = n == 0 ? 0 : own - others / n;
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
          EXPECT_NEAR(r.advantage[t], helpers::counts(r, i, t) ? expected : 0, 1e-12)
              << "seed " << seed << " sequence " << i;
      }
    }
}

TEST(RlooAdvantages, OverflowIsAnError) {
  EXPECT_THROW(helpers::advantages_of(Rloo().algorithm, helpers::one_group({1.7e308, -1.7e308})),
               tenon::Error);
}

const Options kCases[] = {
    {},
    {{"clip_low", "0.05"}, {"clip_high", "0.3"}, {"beta", "0.1"}, {"aggregation", "\"sequence-mean\""}},
    {{"loss", "\"reinforce\""}, {"aggregation", "\"constant-length\""}, {"length", "1"}}};

TEST(RlooGradient, AgreesWithThePaper) {
  for (const Options& options : kCases) {
    Rloo rloo = with(options);
    bool reinforce = options.count("loss") != 0;
    double low = options.count("clip_low") ? .05 : .2, high = options.count("clip_high") ? .3 : .2;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Rollout r = rloo.rollout(seed);
      Algorithm::Metrics metrics;
      auto got = rloo.algorithm.gradient(nullptr, r, metrics);
      double loss = 0;
      for (uint64_t i = 0; i < r.size(); ++i)
        for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
          if (!helpers::counts(r, i, t)) {
            EXPECT_EQ(got.d_logprob[t], 0);
            continue;
          }
          double a = r.advantage[t], rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
          double free = rho * a, clipped = std::min(std::max(rho, 1 - low), 1 + high) * a;
          double value = reinforce ? -a * double{r.lp_new[t]} : -std::min(free, clipped);
          double slope = reinforce ? -a : free <= clipped ? -rho * a : 0;
          loss += r.weight[t] * value;
          EXPECT_NEAR(got.d_logprob[t], r.weight[t] * slope, 1e-6 * std::abs(r.weight[t] * slope) + 1e-12);
        }
      EXPECT_NEAR(got.loss, loss, 1e-12);
    }
  }
}

TEST(RlooGradient, IsTheDerivativeOfTheLoss) {
  for (const Options& options : kCases)
    helpers::expect_derivative_of_the_loss(Rloo(options), options.count("clip_low") ? .05 : .2,
                                           options.count("clip_high") ? .3 : .2);
}

// On-policy both losses have the gradient −w A.
TEST(RlooGradient, BothLossesAgreeOnPolicy) {
  Rloo clipped, reinforce = with({{"loss", "\"reinforce\""}});
  Rollout r = clipped.rollout(5, 0);
  Algorithm::Metrics metrics;
  EXPECT_EQ(clipped.algorithm.gradient(nullptr, r, metrics).d_logprob,
            reinforce.algorithm.gradient(nullptr, r, metrics).d_logprob);
}

TEST(RlooGradient, AnySplitIntoMicroBatchesGivesTheSame) {
  Rloo rloo = with({{"beta", "0.1"}});
  helpers::expect_any_split_gives_the_same(rloo.algorithm, rloo.rollout(3));
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

TEST(RlooInfo, FollowsTheOptions) {
  helpers::expect_info_follows_the_options(tenon_plugin_query_v1(nullptr));
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
  EXPECT_THAT(findings({{"loss", "\"reinforce\""}, {"clip_low", "0.2"}, {"clip_high", "0.3"}}),
              ElementsAre("clip_low: only loss: clipped bounds the ratio",
                          "clip_high: only loss: clipped bounds the ratio"));
}

}  // namespace
