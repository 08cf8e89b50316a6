// Advantages, as the papers print them: baselines of groups, rewards to go, generalised advantage estimation, whitening.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reference/reference.h"

namespace tenon::test::reference {

// What each of the tokens of sequence i earns: the outcome at the last, rewards of tokens, less kl_weight · k1 (InstructGPT, arXiv 2203.02155, eq. 2, per token).
inline std::vector<double> rewards_of_tokens(const Rollout& r, uint64_t i, double kl_weight) {
  const std::vector<uint64_t> tokens = tokens_of(r, i);
  std::vector<double> out(tokens.size(), 0.0);
  for (size_t k = 0; k < tokens.size(); ++k) {
    const uint64_t t = tokens[k];
    if (k + 1 == tokens.size()) out[k] += r.reward[i];
    if (!r.token_reward.empty() && !std::isnan(r.token_reward[t])) out[k] += r.token_reward[t];
    if (kl_weight != 0) out[k] -= kl_weight * (double{r.lp_old[t]} - double{r.lp_ref[t]});
  }
  return out;
}

// Σ_t (lp_old − lp_ref) of the completion.
inline double k1_of_completion(const Rollout& r, uint64_t i) {
  double sum = 0;
  for (uint64_t t : tokens_of(r, i)) sum += double{r.lp_old[t]} - double{r.lp_ref[t]};
  return sum;
}

// Schulman et al., arXiv 1506.02438, eq. 16, by its definition: A_k = Σ_{l≥k} (γλ)^{l−k} δ_l with δ_l = r_l + γ V_{l+1} − V_l, V = 0 after the last.
inline std::vector<double> generalised_advantages(const std::vector<double>& reward,
                                                  const std::vector<double>& value, double gamma,
                                                  double lambda) {
  const size_t n = reward.size();
  std::vector<double> out(n, 0.0);
  for (size_t k = 0; k < n; ++k) {
    double decay = 1;
    for (size_t l = k; l < n; ++l, decay *= gamma * lambda)
      out[k] += decay * (reward[l] + gamma * (l + 1 < n ? value[l + 1] : 0) - value[l]);
  }
  return out;
}

// (A − mean) / sqrt(var + 1e-8) over all tokens that count, var with n − 1; all equal: 0.
inline void whiten(const Rollout& r, std::vector<double>& advantage) {
  std::vector<double> all;
  conformance::for_counting_tokens(r, [&](uint64_t, uint64_t t) { all.push_back(advantage[t]); });
  if (all.empty()) return;
  const double mean = mean_of(all), deviation = deviation_of(all, 1);
  const bool equal = std::all_of(all.begin(), all.end(), [&](double a) { return a == all[0]; });
  conformance::for_counting_tokens(r, [&](uint64_t, uint64_t t) {
    advantage[t] = equal ? 0 : (advantage[t] - mean) / std::sqrt(deviation * deviation + 1e-8);
  });
}

inline void set_all(const Rollout& r, uint64_t i, double value, std::vector<double>& advantage) {
  for (uint64_t t : tokens_of(r, i)) advantage[t] = value;
}

}  // namespace tenon::test::reference
