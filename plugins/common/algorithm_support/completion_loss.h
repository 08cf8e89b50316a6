// Losses that go by the ratio of a whole completion.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "algorithm_support/policy_loss.h"

namespace tenon::algorithm_support {

// Of its L scored tokens: the product of their ratios (DeepSeek-R1, arXiv 2501.12948, eq. 1); their geometric mean (GSPO, arXiv 2507.18071, eq. 7); that
// as a constant, with each token's own gradient (GSPO-token, eq. 14).
enum class Whole { kProduct, kGeometricMean, kGeometricMeanToken };
struct Completion {
  double tokens = 0, log_ratio = 0;  // Σ (lp_new − lp_old)
  double share(Whole whole) const {
    return whole == Whole::kProduct ? 1 : 1 / tokens;
  }  // d log(ratio) / d lp_new, of each token (kGeometricMeanToken: if it were not held constant)
  double ratio(Whole whole) const { return std::exp(log_ratio * share(whole)); }
};
inline Completion completion_of(const RolloutView& r, uint64_t i) {
  Completion c;
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    c.tokens += static_cast<double>(end - begin);
    c.log_ratio += sum_of_differences(r.raw().lp_new + begin, r.raw().lp_old + begin, end - begin);
  });
  return c;
}

// Adds Σ w_t (policy(A_t, ρ, lp_new_t) + β kl) and its derivatives to `out`, ρ being the ratio of the completion: every token's lp_new has
// share · Σ_t w_t dL_t/d log ρ, or with kGeometricMeanToken its own w_t dL_t/d log ρ. The divergence is that of each token; with kProduct of the whole
// completion, d = Σ (lp_ref − lp_new), the same for all its tokens. Metrics are over tokens, each with the ratio of its completion; `kl_metric` is over
// tokens, with kProduct over completions. In vector code; bits depend on the sequence alone. Throws throw_not_finite's error.
void add_completion_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Whole whole,
                           const PolicyLoss& policy, const KlLoss& kl, KlMetric& kl_metric);
inline void add_completion_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, Whole whole,
                                  const PolicyLoss& policy) {
  KlMetric none;
  add_completion_losses(r, out, metrics, whole, policy, KlLoss{}, none);
}

// GMPO (arXiv 2507.20673, eq. 4): adds Σ_t w_t (−A_t g + β kl_t) to `out`, g = exp(1/L Σ_t c_t), c_t = min(x_t, high) where the completion's advantage is
// positive, max(x_t, −low) where it is negative, x_t = lp_new − lp_old. Every token within its bound has −g Σ w A / L as derivative. The advantages of a
// completion have one sign, that of the first which is not 0. Metrics are of the tokens' own ratios. Throws throw_not_finite's error.
void add_geometric_losses(const RolloutView& r, Gradient& out, RatioMetrics& metrics, const Clip& clip,
                          const KlLoss& kl, KlMetric& kl_metric);

}  // namespace tenon::algorithm_support
