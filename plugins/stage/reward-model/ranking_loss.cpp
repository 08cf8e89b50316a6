// Bradley-Terry and cross-entropy, with their slopes.
// SPDX-License-Identifier: Apache-2.0
#include "ranking_loss.h"

#include <algorithm>
#include <cmath>

namespace tenon::reward_model {

namespace {

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
// -ln sigma(x), without overflow.
double minus_log_sigmoid(double x) {
  return std::log1p(std::exp(-std::abs(x))) + std::max(-x, 0.0);
}

}  // namespace

Judgement all_pairs(size_t n) {
  Judgement out;
  for (size_t better = 0; better < n; ++better)
    for (size_t worse = better + 1; worse < n; ++worse) out.pairs.push_back({better, worse, 0});
  return out;
}

Loss loss_of(const Judgement& judgement, std::span<const float> scores, double center) {
  Loss loss{0, std::vector<double>(scores.size())};
  const auto n_pairs = static_cast<double>(judgement.pairs.size());
  for (const Judgement::Pair& pair : judgement.pairs) {
    const double better = scores[pair.better], worse = scores[pair.worse], sum = better + worse;
    const double gap = better - worse - pair.margin;
    loss.value += (minus_log_sigmoid(gap) + center * sum * sum) / n_pairs;
    loss.slope[pair.better] += (-sigmoid(-gap) + 2 * center * sum) / n_pairs;
    loss.slope[pair.worse] += (sigmoid(-gap) + 2 * center * sum) / n_pairs;
  }
  const auto n_labels = static_cast<double>(judgement.labels.size());
  for (size_t i = 0; i < judgement.labels.size(); ++i) {
    const double score = scores[i], label = judgement.labels[i];
    loss.value += (label * minus_log_sigmoid(score) + (1 - label) * minus_log_sigmoid(-score)) / n_labels;
    loss.slope[i] += (sigmoid(score) - label) / n_labels;
  }
  return loss;
}

}  // namespace tenon::reward_model
