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
#include <cmath>

#include "grpo.h"

namespace tenon::grpo {

namespace support = algorithm_support;
using support::KlTerm;
using support::TokenLoss;

TokenLoss Grpo::policy_loss(double a, double ratio, double lp_new) const {
  if (o_.objective == Objective::kClip)
    return support::clipped_surrogate(a, ratio, o_.clip.low, o_.clip.high, o_.clip.cap);
  const double low = 1 - o_.clip.low, high = 1 + o_.clip.high;
  const double slope = -a * (ratio < low ? low : ratio > high ? high : ratio);
  return {slope * lp_new, slope, ratio < low ? 1.0 : 0.0, ratio > high ? 1.0 : 0.0};
}

// β kl of token t. ratio: of the token, of k3-ratio alone.
KlTerm Grpo::token_kl(const RolloutView& r, uint64_t t, double ratio, double beta, KlSum& sum) const {
  const KlTerm kl = support::kl_term(o_.kl, r.lp_new(t), r.lp_ref(t), ratio);
  sum.value += kl.value, sum.count += 1;
  return {beta * kl.value, beta * kl.slope};
}

void Grpo::token_gradient(const RolloutView& r, Gradient& out, support::RatioMetrics& metrics,
                          KlSum& kl) const {
  if (o_.objective == Objective::kClip && !o_.has_kl_loss())
    return support::add_clipped_losses(r, out, metrics, o_.clip.low, o_.clip.high, o_.clip.cap);
  const double beta = o_.beta * r.kl_scale();
  support::add_token_losses(r, out, metrics, [&](uint64_t, uint64_t t, double ratio) {
    TokenLoss loss = policy_loss(r.advantage(t), ratio, r.lp_new(t));
    if (!o_.has_kl_loss()) return loss;
    const KlTerm term = token_kl(r, t, ratio, beta, kl);
    loss.loss += term.value, loss.slope += term.slope;
    return loss;
  });
}

void Grpo::completion_gradient(const RolloutView& r, Gradient& out, support::RatioMetrics& metrics,
                               KlSum& kl) const {
  const double beta = o_.beta * r.kl_scale();
  const bool product = o_.ratio == Ratio::kSequence;
  uint64_t whose = r.sequences();
  KlTerm whole{};  // of completion `whose`
  const auto whole_kl = [&](uint64_t i, double ratio) {
    double d = 0;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      d += support::sum_of_differences(r.raw().lp_ref + begin, r.raw().lp_new + begin, end - begin);
    });
    const KlTerm term = support::kl_term(o_.kl, 0, d, ratio);
    kl.value += term.value, kl.count += 1;
    return KlTerm{beta * term.value, beta * term.slope};
  };
  const auto loss_of = [&](uint64_t i, uint64_t t, double ratio) {
    support::CompletionLoss loss;
    (o_.ratio == Ratio::kGeometricMeanToken ? loss.own : loss.of_ratio) =
        policy_loss(r.advantage(t), ratio, r.lp_new(t));
    if (!o_.has_kl_loss()) return loss;
    if (product && i != whose) whose = i, whole = whole_kl(i, ratio);
    const KlTerm term = product ? whole : token_kl(r, t, std::exp(r.lp_new(t) - r.lp_old(t)), beta, kl);
    TokenLoss& to = product ? loss.of_ratio : loss.own;
    to.loss += term.value, to.slope += term.slope;
    return loss;
  };
  support::add_completion_losses(
      r, out, metrics, product ? support::Whole::kProduct : support::Whole::kGeometricMean, loss_of);
}

// GMPO. A completion's advantages have one sign: that of the first which is not 0.
void Grpo::geometric_gradient(const RolloutView& r, Gradient& out, support::RatioMetrics& metrics,
                              KlSum& kl) const {
  const double beta = o_.beta * r.kl_scale();
  float* slopes = out.d_logprob();
  for (uint64_t i = 0; i < r.sequences(); ++i) {
    if (!r.valid(i)) continue;
    double side = 0, tokens = 0, log_mean = 0, weighted = 0, loss = 0;
    const auto each = [&](auto&& body) {
      r.for_runs(i, [&](uint64_t begin, uint64_t end) {
        for (uint64_t t = begin; t < end; ++t) body(t, r.lp_new(t) - r.lp_old(t));
      });
    };
    each([&](uint64_t t, double) {
      side = side == 0 ? r.advantage(t) : side, tokens += 1, weighted += r.weight(t) * r.advantage(t);
    });
    const auto below = [&](double x) { return side < 0 && x < -o_.clip.low; };
    const auto above = [&](double x) { return side > 0 && x > o_.clip.high; };
    each([&](uint64_t, double x) {
      log_mean += (below(x) ? -o_.clip.low : above(x) ? o_.clip.high : x) / tokens;
    });
    const double policy =
        weighted == 0 ? 0 : -weighted * std::exp(log_mean);  // also its derivative by log_mean
    each([&](uint64_t t, double x) {
      const bool is_bounded = below(x) || above(x);
      const KlTerm term = o_.has_kl_loss() ? token_kl(r, t, std::exp(x), beta, kl) : KlTerm{};
      const double own = r.weight(t) * term.value,
                   slope = (is_bounded ? 0 : policy / tokens) + r.weight(t) * term.slope;
      if (!support::is_usable(policy + own, slope, x)) support::throw_not_finite(r, i, t);
      loss += own;
      slopes[t] = static_cast<float>(slope);
      metrics.add(std::exp(x), x, {0, 0, below(x) ? 1.0 : 0.0, above(x) ? 1.0 : 0.0});
    });
    out.add_loss(policy + loss);
  }
}

void Grpo::gradient(const RolloutView& r, Gradient& out) const {
  support::need_gradient_columns(r);
  if (o_.has_kl_loss()) support::need(r.raw().lp_ref, "lp_ref");
  support::RatioMetrics metrics;
  KlSum kl;
  if (o_.objective == Objective::kGmpo)
    geometric_gradient(r, out, metrics, kl);
  else if (o_.ratio == Ratio::kToken)
    token_gradient(r, out, metrics, kl);
  else
    completion_gradient(r, out, metrics, kl);
  metrics.report(out);
  if (o_.has_kl_loss()) out.metric("kl", kl.value, kl.count);
  if (o_.entropy != 0) support::add_entropy_bonus(r, out, o_.entropy);
}

}  // namespace tenon::grpo
