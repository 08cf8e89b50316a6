// Bradley and Terry's maximum by Newton's method, and its bootstrap.
// SPDX-License-Identifier: Apache-2.0
#include "rating.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tenon/philox.h"

namespace tenon::judge_pairs {
namespace {

constexpr double kPointsOfUnit = 400 / 2.302585092994046;  // 400 / ln 10
constexpr double kMean = 1000;

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
// ln σ(x)
double log_sigmoid(double x) {
  return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}

double log_likelihood(std::span<const double> wins, double prior, const std::vector<double>& theta) {
  const size_t n = theta.size();
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j)
      if (wins[i * n + j] > 0) sum += wins[i * n + j] * log_sigmoid(theta[i] - theta[j]);
    sum += prior / 2 * (log_sigmoid(theta[i]) + log_sigmoid(-theta[i]));
  }
  return sum;
}

// Solves a·x = b for a positive definite a [n, n], by Cholesky; both are overwritten, b by x.
void solve(std::vector<double>& a, std::vector<double>& b) {
  const size_t n = b.size();
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k)
      for (size_t i = j; i < n; ++i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    const double root = std::sqrt(std::max(a[j * n + j], 1e-300));
    for (size_t i = j; i < n; ++i) a[i * n + j] /= root;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
}

// The gradient of the log-likelihood, and minus its second derivatives.
void derivatives(std::span<const double> wins, double prior, const std::vector<double>& theta,
                 std::vector<double>& gradient, std::vector<double>& information) {
  const size_t n = theta.size();
  // Without a prior a shift of all strengths changes nothing; the constant keeps the matrix invertible and the steps, whose gradient sums to 0, without a shift.
  gradient.assign(n, 0), information.assign(n * n, prior > 0 ? 0 : 1);
  for (size_t i = 0; i < n; ++i) {
    const double p = sigmoid(theta[i]);
    gradient[i] += prior * (0.5 - p), information[i * n + i] += prior * p * (1 - p);
    for (size_t j = 0; j < i; ++j) {
      const double won = wins[i * n + j], games = won + wins[j * n + i];
      if (games == 0) continue;
      const double q = sigmoid(theta[i] - theta[j]), weight = games * q * (1 - q);
      gradient[i] += won - games * q, gradient[j] -= won - games * q;
      information[i * n + i] += weight, information[j * n + j] += weight;
      information[i * n + j] -= weight, information[j * n + i] -= weight;
    }
  }
}

double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// The games of one question.
using Clusters = std::vector<std::vector<Game>>;

Clusters by_question(std::span<const Game> games) {
  std::map<uint64_t, std::vector<Game>> sorted;
  for (const Game& game : games) sorted[game.question].push_back(game);
  Clusters out;
  for (auto& [question, of_it] : sorted) out.push_back(std::move(of_it));
  return out;
}

void add(std::vector<double>& wins, size_t n, const Game& game) {
  wins[game.a * n + game.b] += game.score, wins[game.b * n + game.a] += 1 - game.score;
}

// Ratings of each model in each resample, sorted.
std::vector<std::vector<double>> resampled(size_t n, const Clusters& clusters, double prior,
                                           uint64_t resamples, uint64_t seed) {
  std::vector<std::vector<double>> out(n);
  std::vector<uint64_t> numbers(clusters.size());
  for (uint64_t b = 0; b < resamples; ++b) {
    tenon_philox(seed, b, 0, numbers.data(), numbers.size());
    std::vector<double> wins(n * n, 0);
    for (const uint64_t word : numbers)
      for (const Game& game : clusters[(word >> 32) * clusters.size() >> 32]) add(wins, n, game);
    const std::vector<double> theta = bradley_terry(n, wins, prior);
    for (size_t i = 0; i < n; ++i) out[i].push_back(kMean + kPointsOfUnit * theta[i]);
  }
  for (auto& of_model : out) std::sort(of_model.begin(), of_model.end());
  return out;
}

}  // namespace

std::vector<double> bradley_terry(size_t n, std::span<const double> wins, double prior) {
  constexpr int kSteps = 200;
  constexpr double kSmall = 1e-12;
  std::vector<double> theta(n, 0), gradient, information;
  double reached = log_likelihood(wins, prior, theta);
  for (int step = 0; step < kSteps; ++step) {
    derivatives(wins, prior, theta, gradient, information);
    solve(information, gradient);
    double largest = 0, length = 1;
    for (const double d : gradient) largest = std::max(largest, std::abs(d));
    if (largest < kSmall) break;
    std::vector<double> next(n);
    double there = 0;
    // The likelihood is concave: a step that is short enough rises.
    for (; length > kSmall; length /= 2) {
      for (size_t i = 0; i < n; ++i) next[i] = theta[i] + length * gradient[i];
      there = log_likelihood(wins, prior, next);
      if (there >= reached - kSmall * std::abs(reached)) break;
    }
    if (length <= kSmall) break;
    theta = next, reached = there;
  }
  double mean = 0;
  for (const double t : theta) mean += t / static_cast<double>(n);
  for (double& t : theta) t -= mean;
  return theta;
}

std::vector<Rating> rate(size_t n, std::span<const Game> games, double prior, uint64_t resamples,
                         uint64_t seed) {
  std::vector<double> wins(n * n, 0), score(n, 0);
  std::vector<Rating> out(n);
  for (const Game& game : games) {
    add(wins, n, game);
    score[game.a] += game.score, score[game.b] += 1 - game.score;
    ++out[game.a].games, ++out[game.b].games;
  }
  const std::vector<double> theta = bradley_terry(n, wins, prior);
  const auto drawn = resampled(n, by_question(games), prior, resamples, seed);
  for (size_t i = 0; i < n; ++i) {
    out[i].elo = kMean + kPointsOfUnit * theta[i];
    out[i].low = percentile(drawn[i], 0.025), out[i].high = percentile(drawn[i], 0.975);
    out[i].win_rate = out[i].games > 0 ? score[i] / static_cast<double>(out[i].games) : std::nan("");
  }
  return out;
}

std::vector<size_t> components(size_t n, std::span<const Game> games) {
  std::vector<size_t> of(n);
  for (size_t i = 0; i < n; ++i) of[i] = i;
  for (const Game& game : games) {
    const size_t from = std::max(of[game.a], of[game.b]), to = std::min(of[game.a], of[game.b]);
    for (size_t& one : of)
      if (one == from) one = to;
  }
  return of;
}

}  // namespace tenon::judge_pairs
