// Columns of one completion, and generalised advantage estimation on them.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/token_columns.h"

namespace tenon::algorithm_support {

void ScoredTokens::find(const RolloutView& r, uint64_t i) {
  runs_.clear(), count_ = 0;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    runs_.emplace_back(begin, end);
    count_ += end - begin;
  });
}

uint64_t ScoredTokens::place_of(uint64_t t) const {
  uint64_t before = 0;
  for (const auto& [begin, end] : runs_)
    if (t >= end)
      before += end - begin;
    else if (t >= begin)
      before += t - begin;
  return before;
}

void gather(const ScoredTokens& tokens, const float* column, std::vector<double>& out) {
  out.resize(tokens.count());
  double* to = out.data();
  tokens.for_runs([&](uint64_t begin, uint64_t end) { to = std::copy(column + begin, column + end, to); });
}

void token_rewards(const RolloutView& r, uint64_t i, const ScoredTokens& tokens, double kl_weight,
                   std::vector<double>& out) {
  out.assign(tokens.count(), 0.0);
  if (out.empty()) return;
  if (r.raw().token_reward != nullptr || kl_weight != 0) {
    double* to = out.data();
    tokens.for_runs([&](uint64_t begin, uint64_t end) {
      for (uint64_t t = begin; t < end; ++t, ++to) {
        if (r.has_token_reward(t)) *to = r.token_reward(t);
        if (kl_weight != 0) *to -= kl_weight * (r.lp_old(t) - r.lp_ref(t));
      }
    });
  }
  out.back() += r.reward(i);
}

void discounted_sums(std::vector<double>& x, double decay) {
  const double two = decay * decay, three = two * decay, four = two * two;
  double next = 0;
  uint64_t k = x.size();
  for (; k >= 4; k -= 4) {
    double* y = x.data() + (k - 4);
    y[2] += decay * y[3], y[1] += decay * y[2], y[0] += decay * y[1];
    y[3] += decay * next, y[2] += two * next, y[1] += three * next;
    next = y[0] += four * next;
  }
  while (k-- > 0) next = x[k] += decay * next;
}

void Estimates::estimate(double gamma, double lambda) {
  const uint64_t n = value.size();
  delta.resize(n);
  if (n == 0) {
    advantage.clear();
    return;
  }
  for (uint64_t k = 0; k + 1 < n; ++k) delta[k] = reward[k] + gamma * value[k + 1] - value[k];
  delta[n - 1] = reward[n - 1] - value[n - 1];
  advantage = delta;
  discounted_sums(advantage, gamma * lambda);
}

}  // namespace tenon::algorithm_support
