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
//   loss: clipped      L_t = −min(ρ A_i, clip(ρ, 1 − clip_low, 1 + clip_high) A_i)
//     ratio: token     ρ_t = exp(lp_new − lp_old):  dL/d lp_new = −w_t m_t ρ_t A_i
//     ratio: sequence  ρ = Π_t ρ_t (TRL):  dL/d lp_new of every token = −(Σ_t w_t) m ρ A_i
//                      m = 0 outside the bound on the side of A's sign, else 1
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

#include "algorithm_support/baseline.h"
#include "algorithm_support/completion_loss.h"
#include "algorithm_support/explain.h"
#include "algorithm_support/kl.h"
#include "algorithm_support/token_columns.h"

namespace {

namespace support = tenon::algorithm_support;

class Rloo {
 public:
  static constexpr const char* kDoc =
      "Back to Basics (arXiv 2402.14740) §3.2. As printed: preset: back-to-basics; as TRL has it: preset: "
      "trl.";
  static constexpr tenon::Presets kPresets{
      tenon::preset(
          "back-to-basics",
          "arXiv 2402.14740, §3.2: REINFORCE, the sum over a completion's tokens. The paper's weight "
          "of the divergence differs by task: give beta.",
          R"({"loss": "reinforce", "aggregation": "constant-length", "length": 1})"),
      tenon::preset(
          "trl", "The defaults of TRL 1.16's RLOOTrainer.",
          R"({"ratio": "sequence", "clip_low": 0.2, "clip_high": 0.2, "beta": 0.05, "aggregation": "sequence-mean"})",
          R"({"group_size": 2})")};

  explicit Rloo(tenon::Host host)
      : clipped_(host.str("loss") == "clipped"),
        sequence_(host.str("ratio") == "sequence"),
        clip_(support::read_clip(host)),
        beta_(host.f64("beta")),
        info_(support::read_info(host, TENON_NEEDS_GROUPS)) {
    if (!clipped_) info_.needs |= TENON_ON_POLICY;
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::check_aggregation(host, findings, "the paper's sum over tokens: 1");
    support::check_clip(host, findings);
    if (host.str("loss") != "clipped") {
      findings.no_effect("ratio", "loss: reinforce has no ratio");
      for (const char* bound : {"clip_low", "clip_high"})
        findings.no_effect(bound, "only loss: clipped bounds the ratio");
    } else if (host.str("ratio") == "sequence" && host.str("aggregation") != "sequence-mean") {
      findings.error(
          "aggregation",
          "ratio: sequence gives each completion one ratio, whose loss is a mean over completions: "
          "give aggregation: sequence-mean");
    }
  }

  tenon_algorithm_info info() const { return info_; }
  const void* extension(std::string_view id) const { return tenon::explain_extension<Rloo>(id); }

  // A_i. A group whose r' are all equal but for rounding, or with a single valid sample, has A = 0 exactly.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    support::check_rewards(r);
    if (beta_ != 0) support::need(r.raw().lp_ref, "lp_ref"), support::need(r.raw().lp_old, "lp_old");
    support::AdvantageMetrics metrics;
    double kl = 0;
    for (const auto& group : r.groups()) {
      const std::vector<double> divergence = divergences(r, group),
                                a = leave_one_out(shaped_rewards(r, group, divergence));
      for (size_t k = 0; k < group.size(); ++k) {
        if (!std::isfinite(a[k])) throw_not_finite(r, group[k]);
        kl += divergence[k];
        out.set(group[k], a[k]);
        metrics.add(a[k]);
      }
    }
    metrics.report(out);
    if (beta_ != 0 && metrics.count() > 0) out.metric("kl", kl, metrics.count());
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    support::need_gradient_columns(r);
    support::RatioMetrics metrics;
    const support::PolicyLoss loss = clipped_ ? support::PolicyLoss{clip_} : support::kReinforce;
    if (clipped_ && sequence_)
      support::add_completion_losses(r, out, metrics, support::Whole::kProduct, loss);
    else
      support::add_policy_losses(r, out, metrics, loss);
    metrics.report(out, clipped_);
  }

  void explain(const tenon::RolloutView& r, uint64_t i, uint64_t t, const tenon::Explanation& out) const {
    support::need_gradient_columns(r);
    out.link("total reward", r.total_reward(i), "of the completion and its tokens");
    for (const auto& group : r.groups()) {
      if (r.group(group[0]) != r.group(i)) continue;
      const size_t k = static_cast<size_t>(std::find(group.begin(), group.end(), i) - group.begin());
      const std::vector<double> divergence = divergences(r, group),
                                rewards = shaped_rewards(r, group, divergence);
      if (beta_ != 0) {
        out.link("divergence", divergence[k], "k1: Σ (lp_old − lp_ref) over its tokens");
        out.link("shaped reward", rewards[k], "reward − beta · kl_scale · divergence");
      }
      const double a = leave_one_out(rewards)[k];
      out.link("group size", static_cast<double>(group.size()), "valid completions of the same prompt");
      out.link("baseline", rewards[k] - a, "the mean reward of the others");
      out.link("advantage", a, "reward − baseline");
      support::explain_importance(r, t, a, out);
    }
    const double x = r.lp_new(t) - r.lp_old(t);
    out.link("log-ratio", x, "lp_new − lp_old of the token");
    if (clipped_) {
      const double ratio =
          sequence_ ? support::completion_of(r, i).ratio(support::Whole::kProduct) : std::exp(x);
      out.link("ratio", ratio, sequence_ ? "e^Σ log-ratio of the completion" : "e^log-ratio");
      support::explain_clip(r.advantage(t), ratio, 1 - clip_.low, 1 + clip_.high, support::kNoCap, out);
    }
    support::explain_gradient(*this, r, i, t, out);
  }

 private:
  // k1 of each of the group; 0 without a reference.
  std::vector<double> divergences(const tenon::RolloutView& r, const std::vector<uint64_t>& group) const {
    std::vector<double> out(group.size());
    if (beta_ == 0) return out;
    for (size_t k = 0; k < out.size(); ++k) {
      out[k] = support::sequence_kl(r, group[k]);
      if (!std::isfinite(out[k])) throw_not_finite(r, group[k]);
    }
    return out;
  }
  // r' of each of the group.
  std::vector<double> shaped_rewards(const tenon::RolloutView& r, const std::vector<uint64_t>& group,
                                     const std::vector<double>& divergence) const {
    std::vector<double> out;
    for (size_t k = 0; k < group.size(); ++k)
      out.push_back(r.total_reward(group[k]) - beta_ * r.kl_scale() * divergence[k]);
    return out;
  }
  static std::vector<double> leave_one_out(const std::vector<double>& rewards) {
    std::vector<double> out = support::less_mean(rewards);
    const double g = static_cast<double>(rewards.size());
    for (double& a : out) a *= g > 1 ? g / (g - 1) : 0;
    return out;
  }
  [[noreturn]] static void throw_not_finite(const tenon::RolloutView& r, uint64_t i) {
    throw tenon::Error("the advantage of sample " + std::to_string(r.sample_id(i)) + " is not finite: " +
                       support::what_is_not_finite(r, i, "its reward is too far from those of its group"));
  }

  bool clipped_, sequence_;
  support::Clip clip_;
  double beta_;
  tenon_algorithm_info info_;
};

constexpr const char* kLosses[] = {"clipped", "reinforce", nullptr};
constexpr const char* kRatios[] = {"token", "sequence", nullptr};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    Rloo, "rloo", "1.1.0", "REINFORCE with a leave-one-out baseline (Back to Basics).",
    tenon::choice("loss", kLosses, "\"clipped\"",
                  "clipped: PPO's bound on the ratio; reinforce: −A log p, as printed."),
    tenon::choice("ratio", kRatios, "\"token\"",
                  "Of clipped: new over old probability of each token, or of the whole completion (TRL)."),
    support::kClipLow, support::kClipHigh,
    tenon::number("beta", "0",
                  "Weight of the divergence from the reference model (k1) in the reward; 0: none, and no "
                  "reference model is made.",
                  {.min = "0"}),
    support::kAggregation, support::kLength)
