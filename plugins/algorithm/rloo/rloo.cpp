// Algorithm `rloo`: REINFORCE with a leave-one-out baseline.
// SPDX-License-Identifier: Apache-2.0
//
// Ahmadian et al., "Back to Basics", arXiv 2402.14740, §3.2 (the estimator is that of Kool et al. 2019),
// minimised. For G completions of one prompt:
//
//   r'_i = r_i − β Σ_t (lp_old − lp_ref)                    the divergence (k1) is part of the reward (eq. 1)
//   A_i  = r'_i − 1/(G − 1) Σ_{j≠i} r'_j = G/(G − 1) (r'_i − mean(r'))
//   L    = Σ_t w_t L_t                                      w: the host's normaliser (`aggregation`)
//
//   loss: reinforce    L_t = −A_i lp_new
//                      dL/d lp_new = −w_t A_i
//   loss: clipped      ρ_t = exp(lp_new − lp_old)
//                      L_t = −min(ρ_t A_i, clip(ρ_t, 1 − clip_low, 1 + clip_high) A_i)
//                      dL/d lp_new = −w_t m_t ρ_t A_i,  m_t = 0 outside the bound on the side of A's sign, else 1
//
// What differs from the paper, and why:
//  - `clipped` is the default: on the first mini-batch (ρ = 1) it has the gradient of `reinforce`, and later
//    ones stay near the policy that sampled. The ratio is per token; TRL's is the product over the whole
//    completion.
//  - `aggregation` is `token-mean`, so that learning rates compare with those of grpo. The paper's sum over a
//    completion's tokens, averaged over completions, is `aggregation: constant-length` with `length: 1`.
//  - No division by a standard deviation: advantages keep the scale of the rewards.

#include <algorithm>
#include <cmath>

#include "algorithm_support/kl.h"
#include "algorithm_support/policy_loss.h"

namespace {

namespace support = tenon::algorithm_support;

class Rloo {
 public:
  static constexpr const char* kDoc =
      "Back to Basics (arXiv 2402.14740) §3.2. As printed: loss: reinforce, aggregation: constant-length, "
      "length: 1.";

  explicit Rloo(tenon::Host host)
      : clipped_(host.str("loss") == "clipped"),
        clip_low_(host.f64("clip_low")),
        clip_high_(host.f64("clip_high")),
        beta_(host.f64("beta")),
        info_(support::read_info(host)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::check_aggregation(host, findings, "the paper's sum over tokens: 1");
    if (host.str("loss") != "clipped")
      for (const char* bound : {"clip_low", "clip_high"})
        findings.no_effect(bound, "only loss: clipped bounds the ratio");
  }

  tenon_algorithm_info info() const { return info_; }

  // A_i. A group whose r' are all equal, or with a single valid sample, has A = 0 exactly.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    if (beta_ != 0) support::need(r.raw().lp_ref, "lp_ref"), support::need(r.raw().lp_old, "lp_old");
    support::AdvantageMetrics metrics;
    double kl_sum = 0;
    for (const auto& group : r.groups()) {
      std::vector<double> reward;
      for (uint64_t i : group) {
        double kl = beta_ != 0 ? support::sequence_kl(r, i) : 0;
        kl_sum += kl;
        reward.push_back(r.total_reward(i) - beta_ * r.kl_scale() * kl);
      }
      auto [low, high] = std::minmax_element(reward.begin(), reward.end());
      bool no_signal = *low == *high;
      double g = static_cast<double>(group.size()), mean = 0;
      for (double x : reward) mean += x / g;
      for (size_t k = 0; k < group.size(); ++k) {
        double a = no_signal ? 0 : g / (g - 1) * (reward[k] - mean);
        if (!std::isfinite(a))
          throw tenon::Error("rloo: the advantage of sample " + std::to_string(r.raw().sample_id[group[k]]) +
                             " is not finite: reward " + std::to_string(r.total_reward(group[k])));
        out.set(group[k], a);
        metrics.add(a);
      }
    }
    metrics.report(out);
    if (beta_ != 0 && metrics.count() > 0) out.metric("kl", kl_sum, metrics.count());
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    support::need_gradient_columns(r);
    support::RatioMetrics metrics;
    support::add_token_losses(r, out, metrics, [&](uint64_t, uint64_t t, double ratio) {
      const double a = r.advantage(t);
      if (!clipped_) return support::TokenLoss{-a * r.lp_new(t), -a};
      return support::clipped_surrogate(a, ratio, clip_low_, clip_high_);
    });
    metrics.report(out, clipped_);
  }

 private:
  bool clipped_;
  double clip_low_, clip_high_, beta_;
  tenon_algorithm_info info_;
};

constexpr const char* kLosses[] = {"clipped", "reinforce", nullptr};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    Rloo, "rloo", "1.0.0", "REINFORCE with a leave-one-out baseline (Back to Basics).",
    tenon::choice("loss", kLosses, "\"clipped\"",
                  "clipped: PPO's bound on the token ratio; reinforce: −A log p, as printed."),
    tenon::number("clip_low", "0.2",
                  "Of clipped: the ratio's lower bound is 1 − this; from 1 on it never binds.", {.min = "0"}),
    tenon::number("clip_high", "0.2", "Of clipped: the ratio's upper bound is 1 + this.", {.min = "0"}),
    tenon::number("beta", "0",
                  "Weight of the divergence from the reference model (k1) in the reward; 0: none, and no "
                  "reference model is made.",
                  {.min = "0"}),
    support::kAggregation, support::kLength)
