// Algorithm `reinforce++`: REINFORCE with advantages normalised over the whole rollout.
// SPDX-License-Identifier: Apache-2.0
//
// Hu et al., "REINFORCE++", arXiv 2501.03262v9, §3.1 and §3.2, minimised. With the whole rollout's mean and
// variance over all scored tokens, Â = (A − mean(A)) / sqrt(var(A) + 1e-8):
//
//   baseline: none     r_t = token reward_t + 1[t last] r − β (lp_old − lp_ref)     1[t last]: the last scored token
//                      A_t = r_t + γ A_{t+1}                          §3.1; one completion of a prompt is enough
//   baseline: group    A_t = R_i − mean of R over i's group           §3.2, "w/ baseline"; R: all that i earned
//
//   ρ_t = exp(lp_new − lp_old)
//   L_t = −min(ρ_t Â_t, clip(ρ_t, 1 − clip_low, 1 + clip_high) Â_t) + [baseline: group] β/2 (lp_new − lp_ref)²
//   L   = Σ_t w_t L_t                                                 w: the host's normaliser (`aggregation`)
//
//   dL/d lp_new = w_t ( −m_t ρ_t Â_t + [baseline: group] β (lp_new − lp_ref) ),
//                 m_t = 0 outside the bound on the side of Â's sign, else 1
//
// What differs from others, and why:
//  - The divergence is k1 in the reward without a baseline, and k2 in the loss with one, as the paper and
//    OpenRLHF have it (`--use_kl_loss --kl_estimator k2`); verl leaves the choice to two other switches.
//  - A is carried over tokens that are not scored. verl starts from 0 there, which loses the outcome's reward.
//  - The paper's mean and variance are of the batch, not stated further; as in verl they are over tokens, with
//    Bessel's correction (OpenRLHF without).
//  - A group whose rewards are all equal has A = 0, but Â = 0 only where mean(A) is: normalising over the whole
//    rollout moves it, in every implementation.

#include <algorithm>
#include <cmath>

#include "algorithm_support/baseline.h"
#include "algorithm_support/explain.h"
#include "algorithm_support/kl.h"
#include "algorithm_support/policy_loss.h"
#include "algorithm_support/token_columns.h"
#include "algorithm_support/whitening.h"

namespace {

namespace support = tenon::algorithm_support;

class ReinforcePlusPlus {
 public:
  static constexpr const char* kDoc =
      "arXiv 2501.03262: rewards to go (baseline: none) or rewards less their group's mean (baseline: "
      "group), "
      "normalised over the whole rollout; no critic.";

  static constexpr tenon::Presets kPresets{
      tenon::preset(
          "general",
          "REINFORCE++ (arXiv 2501.03262, §3.1): one completion a prompt, k1 in the reward. Its weight of "
          "0.01 is OpenRLHF's default (init_kl_coef), the clip PPO's.",
          R"({"baseline": "none", "gamma": 1, "beta": 0.01, "clip_low": 0.2, "clip_high": 0.2})",
          R"({"group_size": 1})"),
      tenon::preset("baseline",
                    "REINFORCE++ with the group's mean as baseline (arXiv 2501.03262, §3.2): k2 in the loss. "
                    "Its weight of "
                    "0.001 is that of OpenRLHF's script train_reinforce_baseline_llama_ray_agent_async.sh, "
                    "which has eight "
                    "completions a prompt; four is a choice of this preset.",
                    R"({"baseline": "group", "beta": 0.001, "clip_low": 0.2, "clip_high": 0.2})",
                    R"({"group_size": 4})")};

  explicit ReinforcePlusPlus(tenon::Host host)
      : has_baseline_(host.str("baseline") == "group"),
        gamma_(host.f64("gamma")),
        beta_(host.f64("beta")),
        clip_(support::read_clip(host)),
        info_(support::read_info(host, has_baseline_ ? TENON_NEEDS_GROUPS : 0)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::check_clip(host, findings);
    support::check_aggregation(host, findings, "1: the sum over a completion's tokens");
    if (host.str("baseline") == "group")
      findings.no_effect("gamma", "with baseline: group all tokens of a completion have its advantage");
  }

  tenon_algorithm_info info() const { return info_; }

  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    need_advantage_columns(r);
    support::check_rewards(r);
    const std::vector<double> outcome = outcomes(r);
    std::vector<support::Moments> moments(r.sequences());
    support::ScoredTokens tokens;
    std::vector<double> a;
    support::ColumnWriter writer;
    double kl = 0, sequences = 0;
    for (uint64_t i : r.by_sample()) {
      tokens.find(r, i);
      token_advantages(r, i, tokens, outcome, a);
      writer.put(tokens, a, out.advantage());
      moments[i] = support::Moments::of(a.data(), a.size());
      if (beta_ != 0 && !has_baseline_) kl += support::sequence_kl(r, i), sequences += 1;
    }
    const support::Moments all = support::advantage_moments(r, moments);
    support::Whitening(all).apply(r, out);
    support::report_token_advantages(out, all);
    if (beta_ != 0 && !has_baseline_) out.metric("kl", kl, sequences);
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    support::need_gradient_columns(r);
    support::RatioMetrics ratios;
    if (beta_ == 0 || !has_baseline_) {
      support::add_policy_losses(r, out, ratios, {clip_});
    } else {
      support::need(r.raw().lp_ref, "lp_ref");
      support::KlMetric kl;
      support::add_policy_losses(r, out, ratios, {clip_}, {support::Kl::kK2, beta_ * r.kl_scale()}, kl);
      kl.report(out);
    }
    ratios.report(out);
  }

  void explain(const tenon::RolloutView& r, uint64_t i, uint64_t t, const tenon::Explanation& out) const {
    need_advantage_columns(r);
    const std::vector<double> outcome = outcomes(r);
    std::vector<support::Moments> moments(r.sequences());
    support::ScoredTokens tokens;
    std::vector<double> a;
    for (uint64_t other : r.by_sample()) {
      tokens.find(r, other);
      token_advantages(r, other, tokens, outcome, a);
      moments[other] = support::Moments::of(a.data(), a.size());
    }
    tokens.find(r, i);
    token_advantages(r, i, tokens, outcome, a);
    const uint64_t k = tokens.place_of(t);
    const double own = a[k];
    out.link("reward", r.reward(i), "of the completion");
    if (has_baseline_) {
      out.link("total reward", r.total_reward(i), "with the rewards of its tokens");
      out.link("group mean", r.total_reward(i) - outcome[i],
               "of total rewards, over the valid samples of the group");
      out.link("A", own, "total reward − group mean");
    } else {
      if (beta_ != 0) out.link("k1", r.lp_old(t) - r.lp_ref(t), "lp_old − lp_ref");
      support::token_rewards(r, i, tokens, beta_ * r.kl_scale(), a);
      out.link("r", a[k], "what this token earns, beta · kl_scale · k1 taken off");
      out.link("A", own, "r + gamma · A of the next scored token");
    }
    const support::Whitening whitening(support::advantage_moments(r, moments));
    out.link("mean of A", whitening.mean(), "over all scored tokens of the rollout");
    out.link("deviation of A", whitening.deviation(), "sqrt(variance + 1e-8)");
    out.link("advantage", whitening(own), "(A − mean of A) / deviation of A");
    explain_gradient(r, t, whitening(own), out);
  }
  const void* extension(std::string_view id) { return tenon::explain_extension<ReinforcePlusPlus>(id); }

 private:
  // With baseline: group, A of each valid sequence: exactly 0 where the group's rewards are equal but for rounding.
  // Without, empty.
  std::vector<double> outcomes(const tenon::RolloutView& r) const {
    std::vector<double> a(has_baseline_ ? r.sequences() : 0);
    if (!has_baseline_) return a;
    for (const auto& group : r.groups()) {
      std::vector<double> rewards;
      for (uint64_t i : group) rewards.push_back(r.total_reward(i));
      rewards = support::less_mean(rewards);
      for (size_t k = 0; k < group.size(); ++k) a[group[k]] = rewards[k];
    }
    return a;
  }

  // A of the scored tokens of sequence i.
  void token_advantages(const tenon::RolloutView& r, uint64_t i, const support::ScoredTokens& tokens,
                        const std::vector<double>& outcome, std::vector<double>& a) const {
    if (has_baseline_) {
      a.assign(tokens.count(), outcome[i]);
      return;
    }
    support::token_rewards(r, i, tokens, beta_ * r.kl_scale(), a);
    support::discounted_sums(a, gamma_);
  }

  void need_advantage_columns(const tenon::RolloutView& r) const {
    support::need(r.raw().reward, "reward");
    if (beta_ != 0 && !has_baseline_)
      support::need(r.raw().lp_old, "lp_old"), support::need(r.raw().lp_ref, "lp_ref");
  }

  void explain_gradient(const tenon::RolloutView& r, uint64_t t, double advantage,
                        const tenon::Explanation& out) const {
    support::explain_importance(r, t, advantage, out);
    double slope = support::explain_surrogate(r, t, clip_, out);
    if (has_baseline_ && beta_ != 0) {
      const double pull = beta_ * r.kl_scale() * (r.lp_new(t) - r.lp_ref(t));
      out.link("slope of the divergence", pull, "beta · kl_scale · (lp_new − lp_ref)");
      slope += pull;
    }
    out.link("weight", r.weight(t), "of the token in the loss");
    out.link("gradient", static_cast<float>(r.weight(t) * slope), "weight · slope: of the loss, by lp_new");
  }

  bool has_baseline_;
  double gamma_, beta_;
  support::Clip clip_;
  tenon_algorithm_info info_;
};

constexpr const char* kBaselines[] = {"none", "group", nullptr};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    ReinforcePlusPlus, "reinforce++", "1.0.0", "REINFORCE with advantages normalised over the whole rollout.",
    tenon::choice(
        "baseline", kBaselines, "\"none\"",
        "What is taken off a completion's reward before advantages are normalised: nothing, or the mean "
        "of its group (which also moves the divergence from the reward to the loss)."),
    tenon::number("gamma", "1", "Of baseline: none. Discount of later rewards.", {.min = "0", .max = "1"}),
    tenon::number(
        "beta", "0",
        "Weight of the divergence from the reference model; 0: none, and no reference model is made.",
        {.min = "0"}),
    support::kClipLow, support::kClipHigh, support::kAggregation, support::kLength)
