// Algorithm `grpo`: Group Relative Policy Optimization.
// SPDX-License-Identifier: Apache-2.0
//
// Shao et al., DeepSeekMath, arXiv 2402.03300, eq. 3 and 4 (outcome supervision), the objective of
// DeepSeek-R1 (arXiv 2501.12948, eq. 1), minimised. For a group of G completions of one prompt with rewards
// r_1 … r_G:
//
//   Â_i  = (r_i − mean(r)) / (std(r) + std_epsilon)              the same for all tokens of completion i
//   ρ_t  = π_θ(x_t | x_<t) / π_old(x_t | x_<t) = exp(lp_new − lp_old)
//   L_t  = −min(ρ_t Â, clip(ρ_t, 1 − clip_low, 1 + clip_high) Â) + β kl_t
//   L    = Σ_t w_t L_t                                           w: the host's normaliser (`aggregation`)
//
//   dL/d lp_new = w_t ( −m_t ρ_t Â + β kl′_t ),
//       m_t = 0 if (Â > 0 and ρ_t > 1 + clip_high) or (Â < 0 and ρ_t < 1 − clip_low), else 1
//
// With d = lp_ref − lp_new (Schulman, "Approximating KL divergence", 2020):
//   k1 = −d, k1′ = 1        k2 = d²/2, k2′ = −d        k3 = e^d − d − 1, k3′ = 1 − e^d (DeepSeekMath eq. 4)
//
// What differs from the papers, and why:
//  - The ratio is per token, as in DeepSeekMath; R1 prints that of the whole sequence, whose product
//    overflows for long answers.
//  - The papers do not say which standard deviation. `sample` (Bessel) is that of TRL, verl and OpenRLHF.
//  - `aggregation` is 1/Σ tokens by default (DAPO, arXiv 2503.14476); DeepSeekMath's is `sequence-mean`.
//  - `std: none` with `aggregation: constant-length` is Dr. GRPO (arXiv 2503.20783).
//  - No reference model by default (β = 0), as TRL; R1 used β = 0.001 and clip 10, DeepSeekMath β = 0.04.

#include <algorithm>
#include <cmath>

#include "algorithm_support/kl.h"
#include "algorithm_support/policy_loss.h"

namespace {

namespace support = tenon::algorithm_support;

enum class Std { kSample, kPopulation, kNone };
class Grpo {
 public:
  static constexpr const char* kDoc =
      "DeepSeekMath (arXiv 2402.03300) eq. 3 with the token-level ratio. Dr. GRPO: std: none, aggregation: "
      "constant-length, length: the longest completion. "
      "DAPO's objective: clip_high: 0.28.";

  explicit Grpo(tenon::Host host)
      : std_(one_of<Std>(host.str("std"),
                         {{"sample", Std::kSample}, {"population", Std::kPopulation}, {"none", Std::kNone}})),
        std_epsilon_(host.f64("std_epsilon")),
        clip_low_(host.f64("clip_low")),
        clip_high_(host.f64("clip_high")),
        beta_(host.f64("beta")),
        kl_(support::read_kl(host.str("kl"))),
        info_(support::read_info(host)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    support::check_aggregation(host, findings, "Dr. GRPO: the longest completion");
    if (host.str("std") == "none") findings.no_effect("std_epsilon", "std: none divides by nothing");
    if (host.f64("beta") == 0) findings.no_effect("kl", "with beta: 0 there is no divergence to estimate");
  }

  tenon_algorithm_info info() const { return info_; }

  // Â_i. A group without signal (all rewards equal, or a single valid sample) has Â = 0 exactly.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    support::AdvantageMetrics metrics;
    double groups = 0, spread = 0;
    for (const auto& group : r.groups()) {
      Moments m = moments(r, group);
      groups += 1;
      spread += m.scale * m.std;
      for (uint64_t i : group) {
        double a = m.scale == 0 ? 0 : advantage(m, r.total_reward(i));
        out.set(i, a);
        metrics.add(a);
      }
    }
    metrics.report(out);
    if (groups > 0) out.metric("reward/group_std", spread, groups);
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    support::need_gradient_columns(r);
    if (beta_ != 0) support::need(r.raw().lp_ref, "lp_ref");
    support::RatioMetrics metrics;
    double kl_sum = 0, tokens = 0;
    const double beta = beta_ * r.kl_scale();
    support::add_token_losses(r, out, metrics, [&](uint64_t, uint64_t t, double ratio) {
      support::TokenLoss loss = support::clipped_surrogate(r.advantage(t), ratio, clip_low_, clip_high_);
      if (beta == 0) return loss;
      const support::KlTerm kl = support::kl_term(kl_, r.lp_new(t), r.lp_ref(t), ratio);
      loss.loss += beta * kl.value, loss.slope += beta * kl.slope;
      kl_sum += kl.value, tokens += 1;
      return loss;
    });
    metrics.report(out);
    if (beta_ != 0) out.metric("kl", kl_sum, tokens);
  }

 private:
  // Mean and deviation in units of `scale`, the power of two at the largest |reward|: exact, and no finite
  // reward overflows. scale 0: no signal.
  struct Moments {
    double scale, mean, std;
  };
  Moments moments(const tenon::RolloutView& r, const std::vector<uint64_t>& group) const {
    double low = r.total_reward(group[0]), high = low;
    for (uint64_t i : group) low = std::min(low, r.total_reward(i)), high = std::max(high, r.total_reward(i));
    if (low == high) return {0, 0, 0};
    double scale = std::exp2(std::ilogb(std::max(std::abs(low), std::abs(high)))),
           g = static_cast<double>(group.size()), sum = 0, squares = 0;
    for (uint64_t i : group) sum += r.total_reward(i) / scale;
    double mean = sum / g;
    for (uint64_t i : group) squares += std::pow(r.total_reward(i) / scale - mean, 2);
    return {scale, mean, std::sqrt(squares / (std_ == Std::kPopulation ? g : g - 1))};
  }
  double advantage(const Moments& m, double reward) const {
    double centred = reward / m.scale - m.mean;
    return std_ == Std::kNone ? centred * m.scale : centred / (m.std + std_epsilon_ / m.scale);
  }

  template <class T>
  static T one_of(const std::string& value, std::initializer_list<std::pair<const char*, T>> choices) {
    for (const auto& [name, choice] : choices)
      if (value == name) return choice;
    throw tenon::Error(TENON_E_INTERNAL, "no choice \"" + value + "\"");
  }

  Std std_;
  double std_epsilon_, clip_low_, clip_high_, beta_;
  support::Kl kl_;
  tenon_algorithm_info info_;
};

constexpr const char* kStds[] = {"sample", "population", "none", nullptr};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    Grpo, "grpo", "1.0.0", "Group Relative Policy Optimization (DeepSeekMath, DeepSeek-R1).",
    tenon::choice("std", kStds, "\"sample\"",
                  "What advantages are divided by: the group's sample (G − 1) or population (G) standard "
                  "deviation, or nothing."),
    tenon::number("std_epsilon", "1e-4", "Added to the standard deviation.", {.min = "0"}),
    tenon::number("clip_low", "0.2", "The ratio's lower bound is 1 − this; from 1 on it never binds.",
                  {.min = "0"}),
    tenon::number("clip_high", "0.2", "The ratio's upper bound is 1 + this (DAPO 0.28, DeepSeek-R1 10).",
                  {.min = "0"}),
    tenon::number(
        "beta", "0",
        "Weight of the divergence from the reference model; 0: none, and no reference model is made.",
        {.min = "0"}),
    tenon::choice("kl", support::kKlNames, "\"k3\"", "Its estimator, of beta > 0."), support::kAggregation,
    support::kLength)
