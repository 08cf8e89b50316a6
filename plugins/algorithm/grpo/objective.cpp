// The loss and its derivatives.
// SPDX-License-Identifier: Apache-2.0
//
// With x_t = lp_new − lp_old, ρ_t = exp(x_t), and L scored tokens in completion i, `ratio` is
//
//   token                  ρ_t                                                      DeepSeekMath eq. 3
//   sequence               R_i = Π_t ρ_t                                            DeepSeek-R1 eq. 1
//   geometric-mean         s_i = R_i^(1/L)                                          GSPO eq. 7
//   geometric-mean-token   s_{i,t} = sg[s_i] π_θ(x_t) / sg[π_θ(x_t)]                GSPO eq. 14
//
// and `objective`, sg[] being a constant for the derivative, A the advantage of the token:
//
//   clip    L_t = −min(ratio A, clip(ratio, 1 − clip_low, 1 + clip_high) A);  for A < 0 at most −c A, c = dual_clip or delta
//           dL_t/d log(ratio) = −m ratio A,  m = 0 where a bound is met on the side of A's sign, else 1;
//           d log(ratio)/d lp_new = 1 (its own token; sequence: every token) or 1/L (geometric-mean: every token)
//   cispo   L_t = −sg[clip(ρ_t, 1 − clip_low, 1 + clip_high)] A lp_new              MiniMax-M1 eq. 4: no token's gradient is lost
//           dL_t/d lp_new = −clip(ρ_t, …) A
//   gmpo    L_t = −g_i A,  g_i = exp(1/L Σ_t c_t),  c_t = min(x_t, clip_high) for A > 0, max(x_t, −clip_low) for A < 0
//           dL_t/d lp_new of each token = −g_i A / L where c_t = x_t, else 0         GMPO eq. 4
//
// The divergence from the reference is kl.h's, token by token; with `ratio: sequence` it is that of the whole completion,
// d = Σ_t (lp_ref − lp_new), as R1 prints it. The bonus for entropy has the loss's own weights: dL/dH_t = −c w_t.
#include "grpo.h"

namespace tenon::grpo {

namespace support = algorithm_support;

void Grpo::gradient(const RolloutView& r, Gradient& out) const {
  support::need_gradient_columns(r);
  if (o_.has_kl_loss()) support::need(r.raw().lp_ref, "lp_ref");
  const support::KlLoss kl =
      o_.has_kl_loss() ? support::KlLoss(o_.kl, o_.beta * r.kl_scale()) : support::KlLoss();
  const support::PolicyLoss policy{
      o_.clip, o_.objective == Objective::kCispo ? support::Objective::kCispo : support::Objective::kClip};
  support::RatioMetrics ratios;
  support::KlMetric divergence;
  if (o_.objective == Objective::kGmpo)
    support::add_geometric_losses(r, out, ratios, o_.clip, kl, divergence);
  else if (o_.ratio == Ratio::kToken)
    support::add_policy_losses(r, out, ratios, policy, kl, divergence);
  else
    support::add_completion_losses(r, out, ratios, whole(), policy, kl, divergence);
  ratios.report(out);
  if (o_.has_kl_loss()) divergence.report(out);
  if (o_.entropy != 0) support::add_entropy_bonus(r, out, o_.entropy);
}

// Of a ratio other than `token`.
support::Whole Grpo::whole() const {
  return o_.ratio == Ratio::kSequence        ? support::Whole::kProduct
         : o_.ratio == Ratio::kGeometricMean ? support::Whole::kGeometricMean
                                             : support::Whole::kGeometricMeanToken;
}

}  // namespace tenon::grpo
