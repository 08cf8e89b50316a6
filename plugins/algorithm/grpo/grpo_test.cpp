// Tests of GRPO's loss and its derivatives: numbers by hand, and the checks of the SDK. The comparison with the papers is in tests/algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::Algorithm;
using tenon::Rollout;
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

std::string json(const std::string& text) {
  return "\"" + text + "\"";
}
Options plus(Options a, const Options& b) {
  a.insert(b.begin(), b.end());
  return a;
}
Options preset(const char* name) {
  return helpers::preset_options(tenon_plugin_query_v1(nullptr), name);
}
const Options kSequenceMean{{"aggregation", json("sequence-mean")}};
Options ratio(const char* name) {
  return plus({{"ratio", json(name)}}, kSequenceMean);
}
std::vector<Options> variants() {
  return {{},
          {{"dual_clip", "1.1"}, {"beta", "0.5"}},
          {{"delta", "1.5"}},
          {{"beta", "0.5"}, {"kl", json("k1")}},
          {{"beta", "0.5"}, {"kl", json("k3-ratio")}},
          {{"entropy", "0.3"}},
          {{"beta", "0.5"}, {"kl_in", json("reward")}},
          {{"advantage", json("process")}},
          plus({{"dual_clip", "2"}}, ratio("sequence")),
          plus({{"beta", "0.1"}, {"kl", json("k2")}}, ratio("sequence")),
          plus({{"beta", "0.2"}, {"kl", json("k3-ratio")}}, ratio("geometric-mean")),
          plus({{"advantage", json("process")}, {"beta", "0.1"}}, ratio("geometric-mean-token")),
          {{"objective", json("cispo")}, {"clip_low", "0.1"}, {"beta", "0.2"}, {"entropy", "0.1"}},
          plus({{"objective", json("gmpo")}, {"beta", "0.2"}, {"kl", json("k2")}}, ratio("geometric-mean")),
          preset("r1"),
          preset("gspo"),
          preset("cispo"),
          preset("gmpo")};
}

TEST(Grpo, KeepsTheContract) {
  helpers::expect_conformance(tenon_plugin_query_v1(nullptr), variants());
}

// The chain by hand: reward 1 of [1, 0, 0, 0], ratio e^0.5, clipped at 1.2.
TEST(GrpoGradient, AnExplanationByHand) {
  const Grpo grpo = with({{"clip_high", "10"}});
  Rollout r = helpers::one_group({1, 0, 0, 0});
  r.lp_new[1] = -0.5f;
  r = grpo.prepared(std::move(r));
  std::map<std::string, double> links = grpo.links_of(r, 0, 1);
  EXPECT_EQ(links["reward"], 1);
  EXPECT_EQ(links["group size"], 4);
  EXPECT_EQ(links["group mean"], 0.25);
  EXPECT_NEAR(links["scale"], 0.5001, 1e-15);
  EXPECT_NEAR(links["advantage"], 0.75 / 0.5001, 1e-15);
  EXPECT_NEAR(links["ratio"], std::exp(0.5), 1e-15);
  EXPECT_EQ(links["clip"], links["ratio"]);
  EXPECT_EQ(links["weight"], 0.25);
  EXPECT_NEAR(links["gradient"], -0.25 * std::exp(0.5) * 0.75 / 0.5001, 1e-7);
}

// All variants agree where the policy is the one that sampled: the gradient is that of REINFORCE.
TEST(GrpoGradient, OnPolicyTheFormsOfTheRatioAgree) {
  const Grpo token(kSequenceMean), geometric(ratio("geometric-mean")), own(ratio("geometric-mean-token")),
      gmpo(preset("gmpo"));
  const Rollout r = token.rollout(5, {.drift = 0, .far_drift = 0});
  Algorithm::Metrics metrics;
  const auto expected = token.algorithm.gradient(nullptr, r, metrics).d_logprob;
  for (const Grpo* other : {&geometric, &own, &gmpo}) {
    const auto got = other->algorithm.gradient(nullptr, r, metrics).d_logprob;
    for (uint64_t t = 0; t < r.tokens(); ++t) EXPECT_NEAR(got[t], expected[t], 1e-7 * std::abs(expected[t]));
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

// Every bound on the ratio is counted, over all tokens that are trained on.
TEST(GrpoGradient, EveryObjectiveCountsWhatItBounds) {
  struct {
    Options options;
    double low, high;
  } expected[] = {{{{"dual_clip", "1.5"}}, 1, 2},
                  {{{"objective", json("cispo")}}, 1, 2},
                  {plus({{"objective", json("gmpo")}, {"clip_low", "0.3"}, {"clip_high", "0.3"}},
                        ratio("geometric-mean")),
                   1, 1},
                  {ratio("geometric-mean"), 1, 1}};
  for (const auto& [options, low, high] : expected) {
    const Grpo grpo(options);
    Rollout r = helpers::one_group({1, 1, 1, 1});
    r.advantage = {0, 1, 0, 1, 0, -1, 0, -1};
    r.lp_new = {0, -0.5f, 0, -1, 0, -1.5f, 0, -0.5f};  // ratios 1.65, 1, 0.61, 1.65
    grpo.weigh(r);
    Algorithm::Metrics metrics;
    grpo.algorithm.gradient(nullptr, r, metrics);
    EXPECT_EQ(metrics.sums["clip_ratio/low"], std::pair(low, 4.0));
    EXPECT_EQ(metrics.sums["clip_ratio/high"], std::pair(high, 4.0));
    EXPECT_NEAR(metrics.most["ratio/max"], std::exp(0.5), 1e-15);
    EXPECT_NEAR(metrics.least["ratio/min"], std::exp(-0.5), 1e-15);
    EXPECT_NEAR(metrics.sums["policy_kl"].first, -0.5, 1e-15);
  }
}

TEST(GrpoGradient, ARatioOfAWholeCompletionThatOverflowsIsAnError) {
  const Grpo grpo(ratio("sequence"));
  Rollout r = helpers::one_group({1, 0});
  grpo.weigh(r);
  r.lp_old.assign(r.tokens(), -1000);
  r.lp_new.assign(r.tokens(), 0);
  r.advantage = {0, 1, 0, -1};
  EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
}

// Who has no number for a token must not have one in the gradient.
TEST(GrpoGradient, ANumberThatIsNoneIsAnErrorInEveryVariant) {
  for (const Options& options : variants()) {
    const Grpo grpo(options);
    Rollout r = grpo.prepared(helpers::one_group({1, 0}));
    r.lp_new[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(grpo.error_of(r), testing::HasSubstr("sample 1"));
  }
}

}  // namespace
