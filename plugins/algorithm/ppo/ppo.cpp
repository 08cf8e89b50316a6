// Algorithm `ppo`: Proximal Policy Optimization with a critic.
// SPDX-License-Identifier: Apache-2.0
//
// Schulman et al., arXiv 1707.06347, eq. 7 and 9, with generalised advantage estimation (arXiv 1506.02438,
// eq. 16), per token of a completion as in InstructGPT (arXiv 2203.02155). Minimised:
//
//   r_t  = token reward_t + 1[t last] r − β (lp_old − lp_ref)     1[t last]: the last scored token
//   δ_t  = r_t + γ V_{t+1} − V_t                                  V: the critic before the first update;
//   A_t  = δ_t + γ λ A_{t+1}                                      V, A after the last scored token: 0
//   R_t  = A_t + V_t                                              what the critic learns
//   Â_t  = (A_t − mean(A)) / sqrt(var(A) + 1e-8)                  over all scored tokens (`whiten`)
//
//   ρ_t  = exp(lp_new − lp_old)
//   L_t  = −min(ρ_t Â_t, clip(ρ_t, 1 − clip_low, 1 + clip_high) Â_t)
//          + value_coef/2 max((v_t − R_t)², (clip(v_t, V_t ± value_clip) − R_t)²) − entropy H_t
//   L    = Σ_t w_t L_t                                            w: the host's normaliser (`aggregation`)
//
//   dL/d lp_new = −w_t m_t ρ_t Â_t,  m_t = 0 outside the bound on the side of Â's sign, else 1; with
//                 `dual_clip` c (Ye et al., arXiv 1912.09729) also 0 for Â < 0 and ρ > c, where L_t is −c Â
//   dL/d v      =  w_t value_coef (v_t − R_t), 0 where the clipped square is the larger one
//   dL/d H      = −w_t entropy
//
// What differs from others, and why:
//  - t + 1 is the next scored token: V and A are carried over tokens that are not scored, as in verl.
//  - λ = 1 (verl, OpenRLHF; TRL 0.95): DeepSeek-R1 found 0.95 considerably worse on long answers (arXiv
//    2501.12948v2, A.3). The paper's clip is symmetric; here are two bounds.
//  - β's estimator is k1, and its place the reward; no reference model is made for β = 0.
//  - TRL's penalty for a completion without an end token is left to rewards: algorithms do not see why a
//    completion ended.

#include <algorithm>
#include <cmath>

#include "algorithm_support/explain.h"
#include "algorithm_support/kl.h"
#include "algorithm_support/policy_loss.h"
#include "algorithm_support/rewards.h"
#include "algorithm_support/token_columns.h"
#include "algorithm_support/value_loss.h"
#include "algorithm_support/whitening.h"

namespace {

namespace support = tenon::algorithm_support;

class Ppo {
 public:
  static constexpr const char* kDoc =
      "arXiv 1707.06347 with generalised advantage estimation (arXiv 1506.02438). Needs a critic: a model "
      "that "
      "gives values, or the policy's own value head.";

  static constexpr tenon::Presets kPresets{
      tenon::preset("trl", "The defaults of TRL's (experimental) PPOTrainer.",
                    R"({"gamma": 1, "lambda": 0.95, "beta": 0.05, "clip_low": 0.2, "clip_high": 0.2,)"
                    R"( "value_clip": 0.2, "value_coef": 0.1, "whiten": true})",
                    R"({"epochs": 4, "temperature": 0.7})"),
      tenon::preset(
          "verl",
          "The defaults of verl's PPO; the bound of negative advantages is clip_ratio_c of its policy loss.",
          R"({"gamma": 1, "lambda": 1, "beta": 0, "clip_low": 0.2, "clip_high": 0.2, "dual_clip": 3,)"
          R"( "value_clip": 0.5, "value_coef": 1, "whiten": true})",
          R"({"epochs": 1})"),
      tenon::preset(
          "openrlhf",
          "The defaults of OpenRLHF's PPO, but for two that are no option here: it clips rewards to "
          "±10, and divides by the biased deviation.",
          R"({"gamma": 1, "lambda": 1, "beta": 0.01, "clip_low": 0.2, "clip_high": 0.2,)"
          R"( "value_clip": 0.5, "value_coef": 1, "whiten": true})",
          R"({"epochs": 1})"),
      tenon::preset(
          "r1-lambda-0.95",
          "The weaker PPO of DeepSeek-R1's comparison with GRPO (arXiv 2501.12948v2, A.3, figure 4).",
          R"({"lambda": 0.95})"),
      tenon::preset(
          "r1-lambda-1.0",
          "The PPO of DeepSeek-R1's comparison that nearly equals GRPO (arXiv 2501.12948v2, A.3, figure 4).",
          R"({"lambda": 1})")};

  explicit Ppo(tenon::Host host)
      : gamma_(host.f64("gamma")),
        lambda_(host.f64("lambda")),
        beta_(host.f64("beta")),
        whiten_(host.boolean("whiten")),
        clip_(support::read_clip(host, host.f64_if("dual_clip"))),
        value_clip_(host.f64_if("value_clip").value_or(support::kNoValueClip)),
        value_coef_(host.f64("value_coef")),
        entropy_(host.f64("entropy")),
        info_(support::read_info(host, TENON_NEEDS_VALUE)) {
    if (entropy_ != 0) info_.needs |= TENON_NEEDS_ENTROPY;
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::check_clip(host, findings);
    support::check_dual_clip(host, findings);
    support::check_aggregation(host, findings, "1: the sum over a completion's tokens");
    support::check_above_zero(host, findings, "value_coef", "the critic would not learn");
    if (host.f64_if("value_clip"))
      support::check_above_zero(host, findings, "value_clip", "it would leave no room for values to move");
  }

  tenon_algorithm_info info() const { return info_; }

  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    need_advantage_columns(r);
    support::check_rewards(r);
    std::vector<support::Moments> advantage(r.sequences()), target(r.sequences());
    support::ScoredTokens tokens;
    support::Estimates e;
    support::ColumnWriter writer;
    double kl = 0, sequences = 0;
    for (uint64_t i : r.by_sample()) {
      tokens.find(r, i);
      estimate(r, i, tokens, e);
      writer.put(tokens, e.advantage, out.advantage());
      if (out.value_target() != nullptr) writer.put(tokens, e.target, out.value_target());
      advantage[i] = support::Moments::of(e.advantage.data(), e.advantage.size());
      target[i] = support::Moments::of(e.target.data(), e.target.size());
      if (beta_ != 0) kl += support::sequence_kl(r, i), sequences += 1;
    }
    const support::Moments all = support::advantage_moments(r, advantage);
    if (whiten_) support::Whitening(all).apply(r, out);

    support::report_token_advantages(out, all);
    const support::Moments targets = support::moments_by_sample(r, target);
    // A target is the advantage plus the value: what is left where they cancel is their rounding.
    const double size =
        std::max({std::abs(targets.least), std::abs(targets.most), std::abs(all.least), std::abs(all.most)});
    const bool varies = targets.most - targets.least > 0x1p-40 * size;
    out.metric("value/explained_variance", varies ? 1 - all.variance() / targets.variance() : 0,
               varies ? 1 : 0);
    if (beta_ != 0) out.metric("kl", kl, sequences);
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    need_gradient_columns(r, out);
    support::RatioMetrics ratios;
    support::ValueMetrics values;
    for (uint64_t i = 0; i < r.sequences(); ++i) {
      if (!r.valid(i)) continue;
      support::PolicyLosses policy({clip_});
      support::ValueLosses critic(value_coef_, value_clip_);
      support::for_blocks(r, i, [&](uint64_t at, uint64_t n) {
        policy.add(r, at, n, out);
        critic.add(r, at, n, out);
      });
      policy.end(r, i, out, ratios), critic.end(r, i, out, values);
    }
    if (entropy_ != 0) support::add_entropy_bonus(r, out, entropy_);
    ratios.report(out);
    values.report(out, value_clip_ != support::kNoValueClip);
  }

  void explain(const tenon::RolloutView& r, uint64_t i, uint64_t t, const tenon::Explanation& out) const {
    need_advantage_columns(r);
    std::vector<support::Moments> moments(r.sequences());
    support::ScoredTokens tokens;
    support::Estimates e;
    for (uint64_t other : r.by_sample()) {
      tokens.find(r, other);
      estimate(r, other, tokens, e);
      moments[other] = support::Moments::of(e.advantage.data(), e.advantage.size());
    }
    tokens.find(r, i);
    estimate(r, i, tokens, e);
    const uint64_t k = tokens.place_of(t);
    std::vector<double> reward;
    support::token_rewards(r, i, tokens, beta_ * r.kl_scale(), reward);
    explain_estimate(r, i, t, reward[k], e, k, out);
    double advantage = e.advantage[k];
    if (whiten_) {
      const support::Whitening whitening(support::advantage_moments(r, moments));
      advantage = whitening(advantage);
      out.link("mean of A", whitening.mean(), "over all scored tokens of the rollout");
      out.link("deviation of A", whitening.deviation(), "sqrt(variance + 1e-8)");
    }
    out.link("advantage", advantage, whiten_ ? "(A − mean of A) / deviation of A" : "A");
    explain_gradient(r, t, advantage, out);
  }
  const void* extension(std::string_view id) { return tenon::explain_extension<Ppo>(id); }

 private:
  void estimate(const tenon::RolloutView& r, uint64_t i, const support::ScoredTokens& tokens,
                support::Estimates& e) const {
    support::token_rewards(r, i, tokens, beta_ * r.kl_scale(), e.advantage);
    e.estimate(tokens, r.raw().value_old, gamma_, lambda_);
  }

  void need_advantage_columns(const tenon::RolloutView& r) const {
    support::need(r.raw().reward, "reward"), support::need(r.raw().value_old, "value_old");
    if (beta_ != 0) support::need(r.raw().lp_old, "lp_old"), support::need(r.raw().lp_ref, "lp_ref");
  }
  void need_gradient_columns(const tenon::RolloutView& r, const tenon::Gradient& out) const {
    support::need_gradient_columns(r);
    support::need(r.raw().value, "value"), support::need(r.raw().value_old, "value_old");
    support::need(r.raw().value_target, "value_target"), support::need(out.d_value(), "d_value");
    if (entropy_ != 0) support::need(r.raw().entropy, "entropy"), support::need(out.d_entropy(), "d_entropy");
  }

  // earned: r_t of token t, the k-th of the scored ones.
  void explain_estimate(const tenon::RolloutView& r, uint64_t i, uint64_t t, double earned,
                        const support::Estimates& e, uint64_t k, const tenon::Explanation& out) const {
    out.link("reward", r.reward(i), "of the completion, earned at its last scored token");
    if (r.has_token_reward(t)) out.link("token reward", r.token_reward(t));
    if (beta_ != 0) {
      out.link("k1", r.lp_old(t) - r.lp_ref(t), "lp_old − lp_ref");
      out.link("kl weight", beta_ * r.kl_scale(), "beta · kl_scale");
    }
    const double next = e.value(k + 1);
    out.link("r", earned, "what this token earns, the divergence taken off");
    out.link("value", e.value(k), "of the critic before the first update");
    out.link("next value", next, "at the next scored token; 0 after the last");
    out.link("delta", earned + gamma_ * next - e.value(k), "r + gamma · next value − value");
    out.link("A", e.advantage[k], "delta + gamma · lambda · A of the next scored token");
    out.link("value target", e.target[k], "A + value");
  }

  void explain_gradient(const tenon::RolloutView& r, uint64_t t, double advantage,
                        const tenon::Explanation& out) const {
    support::explain_importance(r, t, advantage, out);
    const support::ValueLoss value =
        support::value_loss(r.raw().value[t], r.raw().value_old[t], r.raw().value_target[t], value_clip_);
    const double w = r.weight(t);
    out.link("weight", w, "of the token in the loss");
    out.link("value now", r.raw().value[t], "of the critic in this update");
    out.link("gradient by value", w * value_coef_ * value.slope,
             value.clipped > 0 ? "0: the value is beyond its bound"
                               : "weight · value_coef · (value now − value target)");
    if (entropy_ != 0) out.link("gradient by entropy", -w * entropy_, "−weight · entropy");
    const double slope = support::explain_surrogate(r, t, clip_, out);
    out.link("gradient", static_cast<float>(w * slope), "weight · slope: of the loss, by lp_new");
  }

  double gamma_, lambda_, beta_;
  bool whiten_;
  support::Clip clip_;
  double value_clip_, value_coef_, entropy_;
  tenon_algorithm_info info_;
};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    Ppo, "ppo", "1.0.0", "Proximal Policy Optimization with a critic.",
    tenon::number("gamma", "1", "Discount of later rewards.", {.min = "0", .max = "1"}),
    tenon::number("lambda", "1",
                  "Of generalised advantage estimation: 1 sums up all later rewards, 0 trusts the critic.",
                  {.min = "0", .max = "1"}),
    tenon::number(
        "beta", "0",
        "Weight of the divergence from the reference model (k1) in the reward of each token; 0: none, "
        "and no reference model is made.",
        {.min = "0"}),
    tenon::boolean("whiten", "true",
                   "Advantages are brought to mean 0 and variance 1 over the rollout's tokens."),
    support::kClipLow, support::kClipHigh, support::kDualClip,
    tenon::number(
        "value_clip", nullptr,
        "How far a value may go from that before the first update and still learn; absent: any distance.",
        {.min = "0"}),
    tenon::number("value_coef", "0.1", "Weight of the critic's loss.", {.min = "0"}),
    tenon::number("entropy", "0", "Weight of the entropy bonus; 0: none.", {.min = "0"}),
    support::kAggregation, support::kLength)
