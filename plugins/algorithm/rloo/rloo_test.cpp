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

class Rloo : public helpers::Instance<tenon_algorithm_vt> {
 public:
  explicit Rloo(Options options = {})
      : Instance(helpers::component_of(tenon_plugin_query_v1(nullptr)), std::move(options)),
        algorithm(ref()) {}
  Rollout rollout(uint64_t seed, double drift = 0.4) const {
    Rollout r = helpers::random_rollout(seed, drift);
    Algorithm::Metrics metrics;
    algorithm.advantages(nullptr, r, metrics);
    r.weight = helpers::loss_weights(r, algorithm.info());
    return r;
  }
  Algorithm algorithm;
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
  for (const Options& options : kCases) {
    Rloo rloo = with(options);
    double low = options.count("clip_low") ? .05 : .2, high = options.count("clip_high") ? .3 : .2;
    for (uint64_t seed = 20; seed < 24; ++seed) {
      Rollout r = rloo.rollout(seed);
      auto away_from_kinks = [&](uint64_t, uint64_t t) {
        double rho = std::exp(double{r.lp_new[t]} - double{r.lp_old[t]});
        return std::abs(rho - (1 - low)) > 1e-3 && std::abs(rho - (1 + high)) > 1e-3;
      };
      EXPECT_LT(helpers::finite_difference_error(rloo.algorithm, r, away_from_kinks), 1e-5);
    }
  }
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
  Rollout r = rloo.rollout(3);
  Algorithm::Metrics whole_metrics;
  auto whole = rloo.algorithm.gradient(nullptr, r, whole_metrics);
  for (uint64_t n : {1, 2, 3, 5, 1000}) {
    Algorithm::Metrics metrics;
    auto parts = helpers::in_micro_batches(rloo.algorithm, r, n, metrics);
    EXPECT_EQ(parts.d_logprob, whole.d_logprob) << n;
    EXPECT_NEAR(parts.loss, whole.loss, 1e-14);
    for (const auto& [name, sum] : whole_metrics.sums)
      EXPECT_NEAR(metrics.sums[name].first, sum.first, 1e-12) << name;
  }
}

TEST(RlooGradient, OverflowIsAnErrorThatNamesTheSample) {
  Rloo rloo;
  Rollout r = helpers::one_group({1, 0});
  r.weight = helpers::loss_weights(r, rloo.algorithm.info());
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  r.advantage = {0, 0, 0, -1};
  Algorithm::Metrics metrics;
  try {
    rloo.algorithm.gradient(nullptr, r, metrics);
    FAIL();
  } catch (const tenon::Error& e) {
    EXPECT_NE(std::string(e.what()).find("sample 1"), std::string::npos) << e.what();
  }
}

TEST(RlooInfo, SaysWhatItNeeds) {
  EXPECT_EQ(Rloo().algorithm.info().needs, uint32_t{TENON_NEEDS_GROUPS});
  EXPECT_EQ(with({{"beta", "0.1"}}).algorithm.info().needs,
            uint32_t{TENON_NEEDS_GROUPS | TENON_NEEDS_REFERENCE});
  Rollout r = helpers::one_group({1, 0});
  r.lp_ref.clear();
  EXPECT_THROW(helpers::advantages_of(with({{"beta", "0.1"}}).algorithm, r), tenon::Error);
}

TEST(RlooCheck, LengthGoesWithConstantLength) {
  auto component = helpers::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_THAT(helpers::findings_of(component, {}), ElementsAre());
  EXPECT_EQ(helpers::findings_of(component, {{"aggregation", "\"constant-length\""}}).size(), 1u);
  EXPECT_EQ(helpers::findings_of(component, {{"length", "64"}}).size(), 1u);
}

}  // namespace
