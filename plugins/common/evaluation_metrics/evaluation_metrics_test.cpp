// Estimators against closed forms, exact arithmetic, all subsets, and published tables.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <map>

#include "evaluation_metrics/bootstrap.h"
#include "evaluation_metrics/interval.h"
#include "evaluation_metrics/pass_at_k.h"

namespace tenon::evaluation_metrics {
namespace {

using boost::multiprecision::cpp_int;
using boost::multiprecision::cpp_rational;

cpp_int choose(uint64_t n, uint64_t k) {
  if (k > n) return 0;
  cpp_int out = 1;
  for (uint64_t i = 1; i <= k; ++i) out = out * (n - k + i) / i;
  return out;
}

TEST(PassAtK, IsTheFormulaInExactArithmetic) {
  for (uint64_t n : {1, 2, 3, 7, 64, 200, 1000})
    for (uint64_t right = 0; right <= n; right += 1 + n / 7)
      for (uint64_t k = 1; k <= n; k += 1 + n / 9) {
        const cpp_rational exact = 1 - cpp_rational(choose(n - right, k), choose(n, k));
        EXPECT_NEAR(pass_at_k(n, right, k), static_cast<double>(exact), 1e-12)
            << n << ' ' << right << ' ' << k;
      }
}

TEST(PassAtK, HasTheEndsThatItMustHave) {
  EXPECT_NEAR(pass_at_k(200, 57, 1), 57.0 / 200, 1e-12);  // the mean
  EXPECT_EQ(pass_at_k(200, 0, 100), 0);
  EXPECT_EQ(pass_at_k(200, 1, 200), 1);
  EXPECT_NEAR(pass_at_k(200, 1, 100), 0.5, 1e-12);  // the one is in half of the halves
  EXPECT_NEAR(pass_at_k(5, 2, 3), 0.9, 1e-15);      // 1 - 1/10
  EXPECT_THROW(pass_at_k(4, 1, 5), std::invalid_argument);
  EXPECT_THROW(pass_at_k(4, 1, 0), std::invalid_argument);
  EXPECT_THROW(pass_at_k(4, 5, 1), std::invalid_argument);
}

// The plain estimate 1 − (1 − c/n)^k is biased (Chen et al. 2021, figure 13): of samples that are right with probability p, this one's mean is
// 1 − (1 − p)^k, worked out over the binomial distribution of c.
TEST(PassAtK, IsUnbiased) {
  const uint64_t n = 12;
  for (double p : {0.05, 0.3, 0.8})
    for (uint64_t k : {1, 4, 12}) {
      double mean = 0, plain = 0;
      for (uint64_t c = 0; c <= n; ++c) {
        const double weight = static_cast<double>(choose(n, c)) * std::pow(p, c) * std::pow(1 - p, n - c);
        mean += weight * pass_at_k(n, c, k);
        plain += weight * (1 - std::pow(1 - static_cast<double>(c) / n, k));
      }
      EXPECT_NEAR(mean, 1 - std::pow(1 - p, k), 1e-12);
      if (k > 1 && p < 0.5) {
        EXPECT_LT(plain, mean - 1e-3);
      }
    }
}

// Over all subsets of k samples the vote, a tie shared among the answers that have the most.
double brute_force(const std::vector<Votes>& answers, uint64_t silent, uint64_t k) {
  std::vector<size_t> sample;
  for (size_t j = 0; j < answers.size(); ++j) sample.insert(sample.end(), answers[j].count, j);
  sample.insert(sample.end(), silent, answers.size());
  double right = 0, subsets = 0;
  for (uint32_t set = 0; set < 1u << sample.size(); ++set) {
    if (std::popcount(set) != static_cast<int>(k)) continue;
    std::vector<uint64_t> votes(answers.size(), 0);
    for (size_t i = 0; i < sample.size(); ++i)
      if ((set >> i & 1) != 0 && sample[i] < votes.size()) ++votes[sample[i]];
    const uint64_t most = votes.empty() ? 0 : *std::max_element(votes.begin(), votes.end());
    double won = 0, tied = 0;
    for (size_t j = 0; j < votes.size() && most > 0; ++j)
      if (votes[j] == most) won += answers[j].right, ++tied;
    right += tied > 0 ? won / tied : 0;
    ++subsets;
  }
  return right / subsets;
}

TEST(ConsAtK, IsTheShareOfAllSubsets) {
  const std::vector<std::pair<std::vector<Votes>, uint64_t>> cases{
      {{{5, 1}}, 0},
      {{{5, 0}}, 2},
      {{{3, 1}, {3, 0}}, 0},
      {{{2, 1}, {3, 0}, {3, 0}}, 1},
      {{{4, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, 2},
      {{{1, 0}, {1, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, 0},
      {{{2, 1}, {2, 1}, {3, 0}, {1, 0.5}}, 3},
      {{{6, 0}, {5, 1}}, 0},
      {{}, 4},
  };
  for (const auto& [answers, silent] : cases) {
    uint64_t n = silent;
    for (const Votes& a : answers) n += a.count;
    for (uint64_t k = 1; k <= n; ++k)
      EXPECT_NEAR(cons_at_k(answers, silent, k), brute_force(answers, silent, k), 1e-12)
          << answers.size() << " answers, " << silent << " silent, k = " << k;
  }
}

TEST(ConsAtK, HasTheEndsThatItMustHave) {
  const std::vector<Votes> answers{{7, 1}, {9, 0}, {4, 0}};
  EXPECT_DOUBLE_EQ(cons_at_k(answers, 5, 1), 7.0 / 25);  // of one sample the vote is the sample
  EXPECT_EQ(cons_at_k(answers, 5, 25), 0);
  const std::vector<Votes> tie{{2, 0}, {2, 1}, {1, 0}}, three{{2, 0}, {2, 1}, {2, 0}};
  EXPECT_DOUBLE_EQ(cons_at_k(tie, 0, 5), 0.5);
  EXPECT_DOUBLE_EQ(cons_at_k(three, 0, 6), 1.0 / 3);
  std::vector<Votes> turned = tie;
  std::reverse(turned.begin(), turned.end());
  for (uint64_t k = 1; k <= 5; ++k)
    EXPECT_DOUBLE_EQ(cons_at_k(tie, 2, k), cons_at_k(turned, 2, k)) << "no order counts";
  EXPECT_THROW(cons_at_k(tie, 0, 6), std::invalid_argument);
  EXPECT_THROW(cons_at_k(tie, 0, 0), std::invalid_argument);
  const std::vector<Votes> many{{kMostSamples, 1}, {1, 0}};
  EXPECT_THROW(cons_at_k(many, 0, 2), std::invalid_argument);
  EXPECT_EQ(cons_at_k(many, 0, kMostSamples + 1), 1);
}

// Two answers and an odd k without ties: the upper tail of the hypergeometric distribution.
TEST(ConsAtK, OfTwoAnswersIsTheHypergeometricTail) {
  const uint64_t n = 1024, right = 530, k = 63;
  cpp_int ways = 0;
  for (uint64_t x = 32; x <= k; ++x) ways += choose(right, x) * choose(n - right, k - x);
  const std::vector<Votes> answers{{right, 1}, {n - right, 0}};
  EXPECT_NEAR(cons_at_k(answers, 0, k), static_cast<double>(cpp_rational(ways, choose(n, k))), 1e-12);
}

TEST(Interval, IndependentTrialsGiveWilsonsInterval) {
  std::vector<std::vector<double>> problems;
  for (int i = 0; i < 263; ++i) problems.push_back({i < 81 ? 1.0 : 0.0});
  Interval i = clustered_mean(problems);
  EXPECT_DOUBLE_EQ(i.mean, 81.0 / 263);
  EXPECT_NEAR(i.low, 0.2553,
              5e-5);  // R. G. Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, score method
  EXPECT_NEAR(i.high, 0.3662, 5e-5);
}

TEST(Interval, SamplesOfOneProblemAreNotIndependent) {
  // All 8 samples of a problem agree: 20 trials, not 160.
  std::vector<std::vector<double>> agree, single;
  for (int i = 0; i < 20; ++i)
    agree.push_back(std::vector<double>(8, i < 5 ? 1.0 : 0.0)), single.push_back({i < 5 ? 1.0 : 0.0});
  Interval a = clustered_mean(agree), s = clustered_mean(single);
  EXPECT_DOUBLE_EQ(a.mean, s.mean);
  EXPECT_NEAR(a.low, s.low, 1e-12);
  EXPECT_NEAR(a.high, s.high, 1e-12);
}

TEST(Interval, NothingWrongIsNotCertainty) {
  Interval i = clustered_mean(std::vector<std::vector<double>>(10, std::vector<double>(4, 1.0)));
  EXPECT_EQ(i.mean, 1.0);
  EXPECT_EQ(i.high, 1.0);
  EXPECT_NEAR(i.low, 0.7225, 5e-5);  // Newcombe, table I: 10 of 10
}

TEST(Interval, OtherNumbersGetNormalErrors) {
  Interval i = clustered_mean({{1, 3}, {5}, {-1, 2, 2}});
  double mean = 2, variance = (0 + 9 + 9) / 36.0;
  EXPECT_DOUBLE_EQ(i.mean, mean);
  EXPECT_NEAR(i.high, mean + 1.959963984540054 * std::sqrt(variance), 1e-12);
  EXPECT_NEAR(i.low, mean - 1.959963984540054 * std::sqrt(variance), 1e-12);
}

// Efron and Tibshirani 1993, table 14.1 and 14.2: task A of 26 children; the plug-in variance is 171.5, its 90 % BCa interval 115.8 to 259.6 with 2,000 resamples,
// the percentile interval 100.8 to 233.9.
TEST(Bootstrap, IsThePublishedInterval) {
  const std::vector<double> a{48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6,
                              0,  33, 28, 34, 4,  32, 24, 47, 41, 24, 26, 30, 41};
  const Statistic variance = [&](std::span<const uint32_t> drawn) {
    double sum = 0, square = 0;
    for (uint32_t i : drawn) sum += a[i], square += a[i] * a[i];
    const double n = static_cast<double>(drawn.size());
    return square / n - sum / n * (sum / n);
  };
  const Interval i = bootstrap_bca(26, variance, {.resamples = 100'000, .seed = 1, .level = 0.9});
  EXPECT_NEAR(i.mean, 171.5, 0.05);
  EXPECT_NEAR(i.low, 115.8, 2.5);  // what 2,000 resamples leave open
  EXPECT_NEAR(i.high, 259.6, 5);
}

TEST(Bootstrap, IsSeeded) {
  const std::vector<std::vector<double>> problems{{1}, {0}, {0.5}, {1, 1}, {0, 1}, {0}, {1}};
  const auto ends = [&](uint64_t seed) {
    const Interval i = bootstrap_mean(problems, {.resamples = 500, .seed = seed});
    return std::pair(i.low, i.high);
  };
  EXPECT_EQ(ends(1), ends(1));
  EXPECT_NE(ends(1), ends(2));
}

// Of many like problems the ends are those of the normal distribution, mean ± 1.96 clustered errors.
TEST(Bootstrap, OfManyProblemsAgreesWithTheClusteredError) {
  std::vector<std::vector<double>> problems;
  double square = 0, n = 0, sum = 0;
  for (int i = 0; i < 900; ++i) {
    problems.emplace_back();
    for (int k = 0; k <= i % 3; ++k) problems.back().push_back((i * 7 + k) % 5 < 2 ? 1 : 0);
    for (double v : problems.back()) sum += v, ++n;
  }
  for (const auto& p : problems) {
    double d = 0;
    for (double v : p) d += v - sum / n;
    square += d * d;
  }
  const double error = std::sqrt(square) / n;
  const Interval i = bootstrap_mean(problems, {.resamples = 20'000, .seed = 3});
  EXPECT_DOUBLE_EQ(i.mean, sum / n);
  EXPECT_NEAR(i.low, i.mean - 1.96 * error, 0.06 * error);
  EXPECT_NEAR(i.high, i.mean + 1.96 * error, 0.06 * error);
}

TEST(Bootstrap, WhereNothingVariesWilsonSpeaks) {
  const std::vector<std::vector<double>> right(10, {1.0, 1.0});
  const Interval b = bootstrap_mean(right, {}), w = clustered_mean(right);
  EXPECT_EQ(b.low, w.low);
  EXPECT_EQ(b.high, w.high);
  const Interval one = bootstrap_mean({{1, 0}, {}}, {});
  EXPECT_EQ(one.low, clustered_mean({{1, 0}}).low);
}

}  // namespace
}  // namespace tenon::evaluation_metrics
