// Ratings against closed forms and a published table.
// SPDX-License-Identifier: Apache-2.0
#include "rating.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenon::judge_pairs {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// Two models, w wins and l losses: the strengths differ by ln(w / l).
TEST(BradleyTerry, OfTwoIsTheLogarithmOfTheOdds) {
  for (const auto& [won, lost] :
       {std::pair(3.0, 1.0), std::pair(1.0, 9.0), std::pair(5.5, 5.5), std::pair(999.5, 0.5)}) {
    const std::vector<double> wins{0, won, lost, 0}, theta = bradley_terry(2, wins, 0);
    EXPECT_NEAR(theta[0] - theta[1], std::log(won / lost), 1e-9);
    EXPECT_NEAR(theta[0] + theta[1], 0, 1e-12);
  }
}

// With a prior of p ties the derivative w − n·σ(2θ) + p·(½ − σ(θ)) is 0 at θ; found by bisection.
TEST(BradleyTerry, ThePriorIsTiesWithAnAverageModel) {
  for (const double prior : {0.5, 1.0, 7.0}) {
    const double won = 12, n = 12;  // it always wins
    double low = 0, high = 50;
    for (int k = 0; k < 200; ++k) {
      const double t = (low + high) / 2;
      (won - n * sigmoid(2 * t) + prior * (0.5 - sigmoid(t)) > 0 ? low : high) = t;
    }
    const std::vector<double> theta = bradley_terry(2, std::vector<double>{0, won, 0, 0}, prior);
    EXPECT_NEAR(theta[0], low, 1e-7) << prior;
  }
}

// Seven baseball teams of the American League's east in 1987, each pair 13 games: the example of A. Agresti, "Categorical data analysis" (2nd ed., 2002) for this model. Wins of the row over the column;
// the fitted strengths less that of the last team, four decimals as R's package BradleyTerry2 (H. Turner, D. Firth, J. Stat. Softw. 48(9), 2012) gives them for the same data.
TEST(BradleyTerry, GivesAPublishedTable) {
  const std::vector<double> wins{0,  7, 9, 7,  7, 9, 11, 6, 0, 7, 5,  11, 9, 9, 4, 6, 0,
                                 7,  7, 8, 12, 6, 8, 6,  0, 6, 7, 10, 6,  2, 6, 7, 0, 7,
                                 12, 4, 4, 5,  6, 6, 0,  6, 2, 4, 1,  3,  1, 7, 0};
  const double published[] = {1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0};
  const std::vector<double> theta = bradley_terry(7, wins, 0);
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(theta[i] - theta[6], published[i], 1e-4) << i;
}

TEST(Ratings, OfEqualsAreEqual) {
  std::vector<Game> games;
  for (uint32_t a = 0; a < 3; ++a)
    for (uint32_t b = 0; b < 3; ++b)
      if (a != b)
        for (uint64_t k = 0; k < 4; ++k) games.push_back({a, b, k % 2 == 0 ? 1.0 : 0.5, games.size()});
  for (const Rating& one : rate(3, games, 1, 200, 7)) {
    EXPECT_NEAR(one.elo, 1000, 1e-6);
    EXPECT_NEAR(one.win_rate, 0.5, 1e-12);
    EXPECT_EQ(one.games, 16u);
    EXPECT_LT(one.low, 1000);
    EXPECT_GT(one.high, 1000);
  }
}

TEST(Ratings, AreOnTheScaleOfChess) {
  std::vector<Game> games;
  for (uint64_t k = 0; k < 1100; ++k) games.push_back({0, 1, k % 11 == 0 ? 0.0 : 1.0, k});
  const auto ratings = rate(2, games, 0.001, 100, 1);
  EXPECT_NEAR(ratings[0].elo - ratings[1].elo, 400, 0.1) << "ten to one";
  EXPECT_NEAR((ratings[0].elo + ratings[1].elo) / 2, 1000, 1e-9);
}

// Of n independent games the error of ln(w/l) is 1/√(n·p·(1 − p)); of games that come in groups of four that agree, twice that.
TEST(Ratings, IntervalsAreAsWideAsTheyShouldBe) {
  std::mt19937_64 random(3);
  std::bernoulli_distribution wins(0.7);
  constexpr double kUnit = 400 / 2.302585092994046;
  for (const uint64_t together : {1, 4}) {
    std::vector<Game> games;
    double won = 0;
    constexpr uint64_t kQuestions = 800;
    for (uint64_t q = 0; q < kQuestions / together; ++q) {
      const double score = wins(random) ? 1 : 0;
      for (uint64_t k = 0; k < together; ++k) games.push_back({0, 1, score, q}), won += score;
    }
    const double p = won / static_cast<double>(kQuestions),
                 error = kUnit * std::sqrt(static_cast<double>(together) / (kQuestions * p * (1 - p))) / 2;
    const auto ratings = rate(2, games, 0.001, 2000, 5);
    EXPECT_NEAR((ratings[0].high - ratings[0].low) / (2 * 1.96 * error), 1, 0.08) << together;
    EXPECT_EQ(ratings[0].low, rate(2, games, 0.001, 2000, 5)[0].low) << "the same seed";
  }
}

// The order of games, and who is called a, change nothing but rounding.
TEST(Ratings, DependOnTheGamesAlone) {
  std::mt19937_64 random(9);
  std::vector<Game> games, turned;
  for (uint64_t k = 0; k < 60; ++k) {
    const auto a = static_cast<uint32_t>(random() % 4), b = (a + 1 + static_cast<uint32_t>(random() % 3)) % 4;
    games.push_back({a, b, static_cast<double>(random() % 3) / 2, k});
  }
  for (size_t k = games.size(); k-- > 0;)
    turned.push_back({games[k].b, games[k].a, 1 - games[k].score, games[k].question});
  const auto x = rate(4, games, 1, 100, 1), y = rate(4, turned, 1, 100, 1);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(x[i].elo, y[i].elo, 1e-6);
    EXPECT_NEAR(x[i].low, y[i].low, 1e-6);
  }
}

TEST(Ratings, KnowWhoWasNeverCompared) {
  const std::vector<Game> games{{0, 1, 1, 0}, {3, 4, 1, 0}, {1, 2, 0, 1}};
  const auto of = components(5, games);
  EXPECT_EQ(of[0], of[2]);
  EXPECT_EQ(of[3], of[4]);
  EXPECT_NE(of[0], of[3]);
}

}  // namespace
}  // namespace tenon::judge_pairs
