// Tests of moments, whitening, advantage estimation and the critic's loss, against sums written out in long double.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/whitening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "algorithm_support/token_columns.h"
#include "algorithm_support/value_loss.h"

namespace tenon::algorithm_support {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

std::vector<double> numbers(uint64_t n, double offset) {
  std::mt19937_64 random(n + 1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<double> x(n);
  for (double& v : x) v = offset + uniform(random);
  return x;
}

struct Exact {
  long double mean = 0, squares = 0;
  explicit Exact(const std::vector<double>& x) {
    for (double v : x) mean += v / static_cast<long double>(x.size());
    for (double v : x) squares += (v - mean) * (v - mean);
  }
};

// A small variance beside a large mean keeps its digits.
TEST(Moments, AgreeWithLongDouble) {
  for (uint64_t n : {1, 2, 15, 16, 17, 1000})
    for (double offset : {0.0, 1e6}) {
      const std::vector<double> x = numbers(n, offset);
      const Exact exact(x);
      const Moments m = Moments::of(x.data(), n);
      EXPECT_EQ(m.count, n);
      EXPECT_NEAR(m.mean, static_cast<double>(exact.mean), 1e-15 * (1 + offset) * 10);
      EXPECT_NEAR(m.squares, static_cast<double>(exact.squares), 1e-9 * static_cast<double>(n));
      EXPECT_EQ(m.least, *std::min_element(x.begin(), x.end()));
      EXPECT_EQ(m.most, *std::max_element(x.begin(), x.end()));
    }
}

TEST(Moments, OfPartsPutTogetherAreThoseOfTheWhole) {
  const std::vector<double> x = numbers(100, 50);
  Moments parts;
  for (auto [begin, end] : {std::pair(0, 1), std::pair(1, 1), std::pair(1, 40), std::pair(40, 100)})
    parts.add(Moments::of(x.data() + begin, static_cast<uint64_t>(end - begin)));
  const Moments whole = Moments::of(x.data(), 100);
  EXPECT_EQ(parts.count, 100);
  EXPECT_NEAR(parts.mean, whole.mean, 1e-13);
  EXPECT_NEAR(parts.squares, whole.squares, 1e-11);
  EXPECT_EQ(parts.least, whole.least);
  EXPECT_EQ(parts.most, whole.most);
}

TEST(Whitening, GivesMeanZeroAndVarianceOne) {
  const std::vector<double> x = numbers(500, 3);
  const Whitening whitening(Moments::of(x.data(), x.size()));
  std::vector<double> y;
  for (double v : x) y.push_back(whitening(v));
  const Exact exact(y);
  EXPECT_NEAR(static_cast<double>(exact.mean), 0, 1e-13);
  EXPECT_NEAR(static_cast<double>(exact.squares) / 499, 1, 1e-7) << "1e-8 is added to the variance";
}

TEST(Whitening, EqualNumbersBecomeZeroExactly) {
  const std::vector<double> x(7, .1);
  EXPECT_EQ(Whitening(Moments::of(x.data(), x.size()))(.1), 0);
  EXPECT_EQ(Whitening(Moments::of(x.data(), 1))(.1), 0);
}

TEST(Whitening, NumbersThatDifferByRoundingBecomeZeroExactly) {
  const std::vector<double> x{1.1 + 2.2, 3.3, 3.3};
  ASSERT_NE(x[0], x[1]);
  const Whitening whitening(Moments::of(x.data(), x.size()));
  for (double a : x) EXPECT_EQ(whitening(a), 0);
}

TEST(DiscountedSums, AreThoseOfTheirDefinition) {
  for (uint64_t n : {0, 1, 3, 4, 5, 7, 8, 9, 31, 64})
    for (double decay : {0.0, .5, 1.0}) {
      const std::vector<double> x = numbers(n, 0);
      std::vector<double> got = x;
      discounted_sums(got, decay);
      for (uint64_t k = 0; k < n; ++k) {
        double want = 0, factor = 1;
        for (uint64_t l = k; l < n; ++l, factor *= decay) want += factor * x[l];
        EXPECT_NEAR(got[k], want, 1e-14) << n << " " << decay << " " << k;
      }
    }
}

TEST(Estimates, NothingIsNothing) {
  Estimates e;
  e.estimate(ScoredTokens(), nullptr, 1, 1);
  EXPECT_THAT(e.advantage, ElementsAre());
}

TEST(ScoredTokens, AreFoundByPlace) {
  const std::vector<uint64_t> offsets{0, 6};
  const std::vector<uint8_t> mask{0, 1, 1, 0, 0, 1};
  const std::vector<float> column{10, 11, 12, 13, 14, 15};
  tenon_rollout raw{};
  raw.struct_size = sizeof raw;
  raw.n_seq = 1, raw.n_tok = 6, raw.offsets = offsets.data(), raw.mask = mask.data();
  ScoredTokens tokens;
  tokens.find(RolloutView(&raw), 0);
  EXPECT_EQ(tokens.count(), 3u);
  EXPECT_EQ(tokens.place_of(1), 0u);
  EXPECT_EQ(tokens.place_of(5), 2u);
  std::vector<float> copy;
  const float* const out = gather(tokens, column.data(), copy);
  EXPECT_THAT(std::vector<float>(out, out + 3), ElementsAre(11, 12, 15));
  std::vector<double> back(6, -1);
  ColumnWriter().put(tokens, {11, 12, 15}, back.data());
  EXPECT_THAT(back, ElementsAre(-1, 11, 12, -1, -1, 15));
  const std::vector<uint8_t> one_run{0, 1, 1, 1, 0, 0};
  raw.mask = one_run.data();
  tokens.find(RolloutView(&raw), 0);
  EXPECT_EQ(gather(tokens, column.data(), copy), column.data() + 1) << "in place";
}

// v, the value before, what it should be, how far it may go.
TEST(ValueLoss, IsTheLargerOfTwoSquares) {
  const auto of = [](double v, double old, double target, double clip) {
    const ValueLoss l = value_loss(v, old, target, clip);
    return std::vector<double>{l.loss, l.slope, l.clipped};
  };
  const auto near = [](double x) { return DoubleNear(x, 1e-15); };
  EXPECT_THAT(of(1, 0, 3, kNoValueClip), ElementsAre(near(2), near(-2), 0));
  EXPECT_THAT(of(1, .9, 3, .2), ElementsAre(near(2), near(-2), 0)) << "inside the bound";
  EXPECT_THAT(of(1, 0, 3, .5), ElementsAre(near(3.125), 0, 1))
      << "beyond it and nearer to the target: no more to learn";
  EXPECT_THAT(of(1, 0, -1, .5), ElementsAre(near(2), near(2), 0)) << "beyond it and the wrong way";
}

}  // namespace
// One sequence of n tokens that all count, with the columns of a critic.
struct Critic {
  std::vector<uint64_t> offsets;
  std::vector<uint8_t> mask;
  std::vector<float> value, old, d_value;
  std::vector<double> target, weight;
  tenon_gradient_out out{};

  explicit Critic(uint64_t n) : offsets{0, n}, mask(n, 1), d_value(n), weight(numbers(n, 0)) {
    for (double x : numbers(n, 1)) {
      value.push_back(static_cast<float>(x)), old.push_back(static_cast<float>(.4 * x));
      target.push_back((x - 1) * (x - 1));
    }
    out.d_value = d_value.data();
  }
  void run(double clip) {
    tenon_rollout raw{};
    raw.struct_size = sizeof raw;
    raw.n_seq = 1, raw.n_tok = mask.size(), raw.offsets = offsets.data(), raw.mask = mask.data();
    raw.value = value.data(), raw.value_old = old.data(), raw.value_target = target.data();
    raw.weight = weight.data();
    const RolloutView r(&raw);
    Gradient to(&out);
    ValueMetrics metrics;
    ValueLosses losses(.5, clip);
    for_blocks(r, 0, [&](uint64_t at, uint64_t n) { losses.add(r, at, n, to); });
    losses.end(r, 0, to, metrics);
  }
};

TEST(ValueLosses, AreTheSumOfTheLossesOfTheTokens) {
  for (uint64_t n : {1, 15, 63, 64, 65, 200})
    for (double clip : {.01, .5, kNoValueClip}) {
      Critic c(n);
      c.run(clip);
      double sum = 0;
      for (uint64_t t = 0; t < n; ++t) {
        const ValueLoss one = value_loss(c.value[t], c.old[t], c.target[t], clip);
        sum += .5 * c.weight[t] * one.loss;
        EXPECT_EQ(c.d_value[t], static_cast<float>(.5 * c.weight[t] * one.slope)) << n << " " << t;
      }
      EXPECT_NEAR(c.out.loss, sum, 1e-12 * n);
    }
}

TEST(ValueLosses, WhatIsNotFiniteIsAnErrorThatNamesTheToken) {
  for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    for (double clip : {.5, kNoValueClip}) {
      Critic c(100);
      c.value[70] = bad;
      try {
        c.run(clip);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), testing::HasSubstr("at token 70 of sample 0")) << clip;
      }
    }
}

}  // namespace tenon::algorithm_support
