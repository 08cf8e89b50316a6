// Tests of what algorithms share: ratios, the clipped surrogate, the divergence, metrics of advantages, and what is said of absent columns and of
// losses that are not finite.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/algorithm_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "algorithm_support/kl.h"
#include "algorithm_support/policy_loss.h"
#include "algorithm_support/rewards.h"

namespace tenon::algorithm_support {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

// Two sequences of two tokens.
struct Columns {
  std::vector<uint64_t> offsets{0, 2, 4}, sample_id{70, 71};
  std::vector<double> advantage{0, 1, 2, 3}, weight{1, 1, 1, 1};
  std::vector<float> lp_new{0, -1, -2, -3}, lp_old{0, -4, -5, -6}, lp_ref{0, -7, -8, -9};
  std::vector<uint8_t> mask{0, 1, 0, 1};
  tenon_rollout raw{};
  Columns() {
    raw.struct_size = sizeof raw;
    raw.n_seq = 2, raw.n_tok = 4;
    raw.offsets = offsets.data(), raw.sample_id = sample_id.data();
    raw.mask = mask.data(), raw.advantage = advantage.data(), raw.weight = weight.data();
    raw.lp_new = lp_new.data(), raw.lp_old = lp_old.data();
  }
};

TEST(AlgorithmSupport, EveryColumnOfAGradientMustBeThere) {
  Columns c;
  need_gradient_columns(RolloutView(&c.raw));
  c.raw.lp_old = nullptr;
  EXPECT_THAT(message_of([&] { need_gradient_columns(RolloutView(&c.raw)); }), HasSubstr("no column lp_old"));
  c.raw.lp_old = c.lp_old.data(), c.raw.weight = nullptr;
  EXPECT_THAT(message_of([&] { need_gradient_columns(RolloutView(&c.raw)); }), HasSubstr("no column weight"));
}

TEST(AlgorithmSupport, ALossThatIsNotFiniteNamesItsTokenAndNumbers) {
  Columns c;
  const auto said = [&] { return message_of([&] { throw_not_finite(RolloutView(&c.raw), 1, 3); }); };
  EXPECT_THAT(said(), AllOf(HasSubstr("token 1 of sample 71"), HasSubstr("advantage 3,"),
                            HasSubstr("lp_new -3,"), HasSubstr("lp_old -6.")));
  EXPECT_THAT(said(), ::testing::Not(HasSubstr("lp_ref")));
  c.raw.lp_ref = c.lp_ref.data();
  EXPECT_THAT(said(), HasSubstr("lp_ref -9."));
}

TEST(Numbers, AreAsShortAsTheyCanBe) {
  EXPECT_EQ(number_text(-1.1f), "-1.1");
  EXPECT_EQ(number_text(1e-9), "1e-09");
  EXPECT_EQ(number_text(.1 + .2), "0.30000000000000004");
  EXPECT_EQ(number_text(3), "3");
  EXPECT_EQ(number_text(1e300), "1e+300");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(number_text(std::nan("")), "nan");
}

TEST(Rewards, FlatIsWhatDiffersByRoundingAlone) {
  const auto flat = [](std::vector<double> rewards) { return is_flat(rewards); };
  EXPECT_TRUE(flat({}));
  EXPECT_TRUE(flat({5}));
  EXPECT_TRUE(flat({0, 0, -0.0}));
  EXPECT_TRUE(flat({.1 + .2, .3}));
  EXPECT_TRUE(flat({-3.3, -1.1 - 2.2}));
  EXPECT_TRUE(flat({1e300, 1e300 * (1 + 0x1p-41)}));
  EXPECT_FALSE(flat({1, 1 + 0x1p-39}));
  EXPECT_FALSE(flat({0, 5e-324})) << "relative: the smallest reward there is counts beside 0";
  EXPECT_FALSE(flat({1.7e308, -1.7e308}));
}

TEST(Rewards, ASumThatOverflowsIsAnError) {
  Columns c;
  std::vector<double> reward{1e308, 1e308}, token_reward{std::nan(""), 1e308, std::nan(""), std::nan("")};
  c.raw.reward = reward.data();
  check_rewards(RolloutView(&c.raw));
  c.raw.token_reward = token_reward.data(), reward[0] = 1.7e308;
  EXPECT_THAT(message_of([&] { check_rewards(RolloutView(&c.raw)); }),
              HasSubstr("column reward + token_reward of sample 70 is inf"));
}

// How many representable numbers lie between two of one sign; 0 for two NaNs.
uint64_t steps_between(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : UINT64_MAX;
  const auto x = std::bit_cast<int64_t>(a), y = std::bit_cast<int64_t>(b);
  return static_cast<uint64_t>(x > y ? x - y : y - x);
}

TEST(Ratios, AreThoseOfTheStandardLibrary) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                  kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> a{0,    -0.0f, 1e-45f, 1e-38f, 88,     -88,       700,        -700, 709.5f, 710,
                       -740, -745,  -746,   1e30f,  -1e30f, kInfinity, -kInfinity, kNan, 0,      kInfinity},
      b(a.size(), 0.0f);
  b.back() = kInfinity;  // the difference is no number
  std::mt19937 random(3);
  for (float width : {1e-6f, 0.3f, 5.0f, 100.0f, 750.0f})
    for (int k = 0; k < 2000; ++k) {
      a.push_back(std::uniform_real_distribution<float>(-width, width)(random));
      b.push_back(std::uniform_real_distribution<float>(-1, 1)(random));
    }
  std::vector<double> out(a.size());
  exp_of_differences(a.data(), b.data(), a.size(), out.data());
  for (size_t k = 0; k < a.size(); ++k)
    EXPECT_LE(steps_between(out[k], std::exp(double{a[k]} - double{b[k]})), 2u) << a[k] << " - " << b[k];
}

TEST(Ratios, BitsDoNotDependOnThePlace) {
  std::mt19937 random(4);
  std::vector<float> a(64), b(64);
  for (size_t k = 0; k < a.size(); ++k)
    a[k] = std::uniform_real_distribution<float>(-4, 4)(random), b[k] = static_cast<float>(k % 5);
  std::vector<double> whole(a.size());
  exp_of_differences(a.data(), b.data(), a.size(), whole.data());
  for (size_t begin = 0; begin < a.size(); ++begin)
    for (size_t n : {size_t{1}, size_t{7}, a.size() - begin}) {
      if (begin + n > a.size()) continue;
      std::vector<double> part(n);
      exp_of_differences(a.data() + begin, b.data() + begin, n, part.data());
      for (size_t k = 0; k < n; ++k)
        EXPECT_EQ(std::bit_cast<uint64_t>(part[k]), std::bit_cast<uint64_t>(whole[begin + k]));
    }
}

TEST(Ratios, ResiduesAreThoseOfLongDouble) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> a{0,        1e-45f,    1e-30f,    -1e-30f, 1e-10f, -1e-10f,   0.34657f,
                       0.34658f, -0.34657f, -0.34658f, 0.7f,    -0.7f,  88,        -88,
                       700,      -700,      709.5f,    720,     -800,   kInfinity, -kInfinity},
      b(a.size(), 0.0f);
  std::mt19937 random(8);
  for (float width : {1e-20f, 1e-6f, 0.5f, 5.0f, 700.0f})
    for (int k = 0; k < 2000; ++k) {
      a.push_back(std::uniform_real_distribution<float>(-width, width)(random));
      b.push_back(k % 2 == 0 ? 0 : std::uniform_real_distribution<float>(-1, 1)(random));
    }
  std::vector<double> less_one(a.size()), residue(a.size());
  expm1_of_differences(a.data(), b.data(), a.size(), less_one.data(), residue.data());
  for (size_t k = 0; k < a.size(); ++k) {
    const double d = double{a[k]} - double{b[k]};
    const auto wide = static_cast<long double>(d), exact = std::expm1(wide);
    EXPECT_LE(steps_between(less_one[k], std::expm1(d)), 4u) << d;
    // For |d| < 0.1 the series: the difference would lose its digits in long double, too.
    long double series = 0;
    for (int n = 20; n >= 2; --n) series = (1 + series) * wide / n;
    const auto want = static_cast<double>(std::fabs(d) < .1 ? series * wide : exact - wide);
    if (std::isfinite(want))
      EXPECT_NEAR(residue[k], want, 4e-15 * want) << d;
    else
      EXPECT_EQ(steps_between(residue[k], want), 0u) << d;
  }
  const float nan = std::nanf("");
  expm1_of_differences(&nan, b.data(), 1, less_one.data(), residue.data());
  EXPECT_TRUE(std::isnan(less_one[0]) && std::isnan(residue[0]));
}

TEST(Ratios, SumsOfDifferences) {
  std::mt19937 random(5);
  for (uint64_t n : {0u, 1u, 15u, 16u, 17u, 1000u}) {
    std::vector<float> a(n), b(n);
    long double expected = 0;
    for (uint64_t k = 0; k < n; ++k) {
      a[k] = std::uniform_real_distribution<float>(-4, 4)(random),
      b[k] = std::uniform_real_distribution<float>(-4, 4)(random);
      expected += static_cast<long double>(a[k]) - static_cast<long double>(b[k]);
    }
    EXPECT_NEAR(sum_of_differences(a.data(), b.data(), n), static_cast<double>(expected), 1e-12);
  }
}

// min and max as they are written in the papers.
TEST(ClippedSurrogate, IsTheMinimumOfTwoProducts) {
  const double low = 0.2, high = 0.3;
  for (double a : {-2.0, -0.5, 0.0, 0.7, 3.0})
    for (double ratio : {0.0, 0.5, 0.8, 0.9, 1.0, 1.3, 1.31, 2.0, 9.0})
      for (double cap : {kNoCap, 1.1, 3.0}) {
        const double bounded = std::min(std::max(ratio, 1 - low), 1 + high),
                     least = std::min(ratio * a, bounded * a);
        const double objective = a < 0 && cap != kNoCap ? std::max(least, cap * a) : least;
        const TokenLoss got = clipped_surrogate(a, ratio, low, high, cap);
        EXPECT_NEAR(got.loss, -objective, 1e-15);
        const bool follows = objective == ratio * a && a != 0;
        EXPECT_NEAR(got.slope, follows ? -ratio * a : 0, 1e-15) << a << " " << ratio << " " << cap;
        EXPECT_EQ(got.below + got.above, follows || a == 0 ? 0 : 1) << a << " " << ratio << " " << cap;
      }
}

// Schulman's estimators at lp = −1, lp_ref = −1.2, and their derivatives by differences.
TEST(Kl, EstimatorsAndTheirSlopes) {
  EXPECT_NEAR(kl_term(Kl::kK1, -1, -1.2, 1).value, .2, 1e-15);
  EXPECT_NEAR(kl_term(Kl::kK2, -1, -1.2, 1).value, .02, 1e-15);
  EXPECT_NEAR(kl_term(Kl::kK3, -1, -1.2, 1).value, .0187307531, 1e-10);
  EXPECT_NEAR(kl_term(Kl::kK3, -1, -1.2, 1).slope, .1812692469, 1e-10);
  EXPECT_NEAR(kl_term(Kl::kK3Ratio, -1, -1.2, 1.5).value, 1.5 * .0187307531, 1e-10);
  for (Kl kind : {Kl::kK1, Kl::kK2, Kl::kK3, Kl::kK3Ratio})
    for (double lp : {-3.0, -1.0, -1e-9})
      for (double ref : {-5.0, -1.0, -0.2}) {
        const double old = -1.5, h = 1e-5;
        const auto value = [&](double x) { return kl_term(kind, x, ref, std::exp(x - old)).value; };
        EXPECT_NEAR((value(lp + h) - value(lp - h)) / (2 * h),
                    kl_term(kind, lp, ref, std::exp(lp - old)).slope, 1e-7);
      }
  for (const char* const* name = kKlNames; *name != nullptr; ++name)
    EXPECT_EQ(static_cast<int>(read_kl(*name)), name - kKlNames) << *name;
}

// Weights of the divergence are exact where policy and reference are nearly one: e^d − d − 1 would be lost in rounding.
TEST(Kl, IsExactForTinyDifferences) {
  EXPECT_NEAR(kl_term(Kl::kK3, -1, -1 + 0x1p-30, 1).slope, -0x1p-30, 0x1p-60);
}

using MetricValues = std::map<std::string, std::pair<double, double>>;
MetricValues reported(const AdvantageMetrics& metrics) {
  MetricValues values;
  tenon_advantages_out raw{sizeof raw,
                           0,
                           nullptr,
                           nullptr,
                           &values,
                           [](void* ctx, const char* name, int32_t how, double value, double) {
                             (*static_cast<MetricValues*>(ctx))[name] = {value, how};
                           }};
  metrics.report(Advantages(nullptr, &raw));
  return values;
}

TEST(AdvantageMetrics, KeepsADeviationThatIsSmallBesideTheMean) {
  std::vector<double> a;
  for (int k = 0; k < 1001; ++k) a.push_back(1e8 + std::sin(k));  // a deviation that is small beside the mean
  double mean = 0, squares = 0;
  for (double x : a) mean += x / 1001;
  for (double x : a) squares += (x - mean) * (x - mean) / 1001;
  AdvantageMetrics metrics;
  for (double x : a) metrics.add(x);
  EXPECT_EQ(metrics.count(), 1001);
  MetricValues got = reported(metrics);
  EXPECT_NEAR(got["advantage/mean"].first, mean, 1e-6);
  EXPECT_NEAR(got["advantage/std"].first, std::sqrt(squares), 1e-6);
  EXPECT_EQ(got["advantage/min"], std::pair(*std::min_element(a.begin(), a.end()), double{TENON_METRIC_MIN}));
  EXPECT_EQ(got["advantage/max"], std::pair(*std::max_element(a.begin(), a.end()), double{TENON_METRIC_MAX}));
  EXPECT_TRUE(reported(AdvantageMetrics()).empty()) << "of nothing there is no mean";
}

}  // namespace
}  // namespace tenon::algorithm_support
