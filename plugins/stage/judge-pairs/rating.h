// How strong each of several models is, out of comparisons of two.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::judge_pairs {

// A comparison of two models: score is 1 if a was better, 0 if b was, 0.5 for a tie. Those of one question depend on each other.
struct Game {
  uint32_t a, b;
  double score;
  uint64_t question;
};

// The model of Bradley and Terry (1952): P(i before j) = σ(θ_i − θ_j); a tie counts half for each. `wins`: [n, n], wins[i·n + j] is how often i was better than j. `prior` ≥ 0: so many ties
// of each model with one of the strength 0 are added, so that the likelihood has a maximum even where somebody always wins; 0: the maximum of the likelihood alone, which must then be there (everybody
// has beaten everybody else, directly or through others). Returns θ with mean 0. By Newton's method; the same input gives the same bits.
std::vector<double> bradley_terry(size_t n, std::span<const double> wins, double prior);

// On the scale of chess: 400 points more are ten times the chance; the mean over the models is 1000.
struct Rating {
  double elo, low, high;  // low, high: 95 %
  double win_rate;        // mean score of its games; NaN: it has none
  uint64_t games;
};

// The ratings of n models. Their intervals are percentiles of the bootstrap, as on Chatbot Arena's leaderboard (arXiv 2403.04132); whole questions are drawn with replacement. The same seed gives the same
// intervals. resamples ≥ 100.
std::vector<Rating> rate(size_t n, std::span<const Game> games, double prior, uint64_t resamples,
                         uint64_t seed);

// Which models can be compared at all: 0 … for those that were compared with each other, directly or through others.
std::vector<size_t> components(size_t n, std::span<const Game> games);

}  // namespace tenon::judge_pairs
