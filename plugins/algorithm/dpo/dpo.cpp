// Algorithm `dpo`: Direct Preference Optimization on pairs of the samples of a group.
// SPDX-License-Identifier: Apache-2.0
//
// Rafailov et al., arXiv 2305.18290, eq. 7. Of two samples of a prompt, the one with the higher total reward is
// the chosen one c, the other the rejected one r; rewards that are equal, or differ by rounding alone, make no pair.
// With sums over scored tokens
//
//   s_i = Σ_t (lp_new − lp_ref)                        u = β (s_c − s_r), the margin of a pair
//   loss: sigmoid   ℓ(u) = −(1 − ε) log σ(u) − ε log σ(−u)       ε: label_smoothing (Mitchell's cDPO); the paper's: 0
//   loss: ipo       ℓ(u) = (u/β − 1/(2β))²             Azar et al., arXiv 2310.12036, eq. 17
//
//   L = Σ_groups (G_g / N) · mean of ℓ over the pairs of group g
//   dL/d lp_new of a token of i = (G_g / N) β/P_g ( Σ_{pairs with c = i} ℓ′(u) − Σ_{pairs with r = i} ℓ′(u) )
//
// P_g: pairs of the group; G_g: its samples that have scored tokens; N: valid samples of the mini-batch, so that
// 1/N is the host's weight of every token (aggregation constant-length with length 1). Groups of equal size that
// all have a pair make L the mean over prompts of the mean over a prompt's pairs; in one without a pair nothing is
// learnt, but it stays in N, as in grpo. A mean over all pairs would need their number in the whole mini-batch,
// and would give a prompt that is solved half the time many times the weight of one that is hardly ever solved.
//
// What differs from others, and why:
//  - Preferences are rewards of the policy's own samples (online DPO); TRL's DPOTrainer reads a data set of pairs.
//  - `ipo` has sums over tokens as its paper; TRL has means.
//  - `advantages` gives (pairs that i wins − pairs that it loses) / P_g, so that a stage sees which samples
//    matter. The loss does not read it: pairs are made again from the samples that are given, which leaves out
//    those that a stage masks in between.

#include <algorithm>
#include <array>
#include <cmath>

#include "algorithm_support/algorithm_support.h"
#include "algorithm_support/ratios.h"
#include "algorithm_support/rewards.h"

namespace {

namespace support = tenon::algorithm_support;

struct Pair {
  uint64_t chosen, rejected;  // places in the group
};

struct PairLoss {
  double loss, slope;  // slope: by the margin u
};

// The samples of a group that can be compared, by sample id, and their pairs.
struct Group {
  std::vector<uint64_t> members;  // sequences
  std::vector<double> reward;
  std::vector<Pair> pairs;
};

// What one group adds up to.
struct Metrics {
  double pairs = 0, margin = 0, right = 0, chosen = 0, rejected = 0;
};

double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

class Dpo {
 public:
  static constexpr const char* kDoc =
      "arXiv 2305.18290 on the policy's own samples: in each group, the one with the higher total reward is "
      "preferred. A mini-batch must hold whole groups.";

  static constexpr tenon::Presets kPresets{
      tenon::preset(
          "ipo",
          "Identity preference optimization (arXiv 2310.12036, eq. 17); its τ is beta, and 0.1 is TRL's "
          "default, not the paper's.",
          R"({"loss": "ipo", "beta": 0.1})"),
      tenon::preset(
          "cdpo",
          "Conservative DPO (Mitchell, 2023): one label in ten is taken to be wrong, an example, as the "
          "share is that of the data's mistakes.",
          R"({"label_smoothing": 0.1})")};

  explicit Dpo(tenon::Host host)
      : beta_(host.f64("beta")),
        label_smoothing_(host.f64("label_smoothing")),
        is_ipo_(host.str("loss") == "ipo"),
        best_worst_(host.str("pairs") == "best-worst") {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.f64("beta") == 0)
      findings.error("beta", "must be above 0: without it no sample is preferred (0.1 is usual)");
    if (host.f64("label_smoothing") >= 0.5)
      findings.error("label_smoothing",
                     "must be below 0.5: with half of the labels wrong there is no preference");
    if (host.str("loss") == "ipo")
      findings.no_effect("label_smoothing", "only loss: sigmoid has labels to smooth");
  }

  tenon_algorithm_info info() const {
    tenon_algorithm_info info{};
    info.needs = TENON_NEEDS_REFERENCE | TENON_NEEDS_GROUPS | TENON_WHOLE_GROUPS | TENON_FIXED_ADVANTAGE;
    info.aggregation = TENON_CONSTANT_LENGTH, info.constant = 1;
    return info;
  }

  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    support::check_rewards(r);
    support::AdvantageMetrics metrics;
    double pairs = 0, groups = 0;
    for (const auto& members : r.groups()) {
      const Group g = compared(r, members);
      groups += 1, pairs += static_cast<double>(g.pairs.size());
      std::vector<double> wins(g.members.size());
      for (const Pair& p : g.pairs) wins[p.chosen] += 1, wins[p.rejected] -= 1;
      for (size_t k = 0; k < g.members.size(); ++k) {
        const double a = g.pairs.empty() ? 0 : wins[k] / static_cast<double>(g.pairs.size());
        out.set(g.members[k], a);
        metrics.add(a);
      }
    }
    metrics.report(out);
    out.metric("dpo/pairs", pairs, groups);
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    need_gradient_columns(r);
    support::check_rewards(r);
    Metrics all;
    for (const auto& members : r.groups()) {
      const Group g = compared(r, members);
      if (g.pairs.empty()) continue;
      std::vector<double> s, slope(g.members.size());
      for (uint64_t i : g.members) s.push_back(log_ratio(r, i));
      const double share = weight_of(r, g) / static_cast<double>(g.pairs.size());
      double loss = 0;
      for (const Pair& p : g.pairs) {
        const double margin = beta_ * (s[p.chosen] - s[p.rejected]);
        const PairLoss pair = pair_loss(margin);
        loss += pair.loss;
        slope[p.chosen] += pair.slope, slope[p.rejected] -= pair.slope;
        all.pairs += 1, all.margin += margin, all.right += margin > 0 ? 1 : 0;
        all.chosen += beta_ * s[p.chosen], all.rejected += beta_ * s[p.rejected];
      }
      std::vector<float> d(slope.size());
      for (size_t k = 0; k < d.size(); ++k) d[k] = static_cast<float>(share * beta_ * slope[k]);
      const bool is_finite = std::all_of(d.begin(), d.end(), [](float x) { return std::isfinite(x); });
      if (!is_finite || !std::isfinite(share * loss)) throw_not_finite(r, g, s);
      out.add_loss(share * loss);
      for (size_t k = 0; k < d.size(); ++k) fill(r, g.members[k], d[k], out.d_logprob());
    }
    out.metric("dpo/margin", all.margin, all.pairs);
    out.metric("dpo/accuracy", all.right, all.pairs);
    out.metric("dpo/chosen", all.chosen, all.pairs);
    out.metric("dpo/rejected", all.rejected, all.pairs);
  }

  void explain(const tenon::RolloutView& r, uint64_t i, uint64_t t, const tenon::Explanation& out) const {
    need_gradient_columns(r);
    for (const auto& members : r.groups()) {
      if (r.group(members[0]) != r.group(i)) continue;
      const Group g = compared(r, members);
      const size_t own =
          static_cast<size_t>(std::find(g.members.begin(), g.members.end(), i) - g.members.begin());
      const double s = log_ratio(r, i);
      out.link("total reward", r.total_reward(i), "with the rewards of its tokens");
      out.link("pairs", static_cast<double>(g.pairs.size()), "of different rewards in the group");
      out.link("s", s, "sum of lp_new − lp_ref over the completion");
      double won = 0, lost = 0, slope = 0;
      for (const Pair& p : g.pairs) {
        if (p.chosen != own && p.rejected != own) continue;
        const bool wins = p.chosen == own;
        const double other = log_ratio(r, g.members[wins ? p.rejected : p.chosen]);
        const double by_margin = pair_loss(beta_ * (wins ? s - other : other - s)).slope;
        (wins ? won : lost) += 1, slope += wins ? by_margin : -by_margin;
      }
      out.link("pairs won", won, "with this sample as the chosen one");
      out.link("pairs lost", lost, "with this sample as the rejected one");
      const double pairs = static_cast<double>(g.pairs.size());
      out.link("advantage", pairs == 0 ? 0 : (won - lost) / pairs,
               "(pairs won − pairs lost) / pairs; the loss does not read it");
      out.link("slope", slope,
               "sum of the loss's derivatives by the margins, lost pairs with the other sign");
      out.link("weight", r.weight(t), "of the token in the loss: 1 / samples of the mini-batch");
      const double weight = pairs == 0 ? 0 : weight_of(r, g) / pairs;
      out.link("weight of a pair", weight, "weight · samples of the group / pairs");
      out.link("gradient", static_cast<float>(weight * beta_ * slope),
               "weight of a pair · beta · slope, the same for all tokens");
    }
  }
  const void* extension(std::string_view id) { return tenon::explain_extension<Dpo>(id); }

 private:
  Group compared(const tenon::RolloutView& r, const std::vector<uint64_t>& members) const {
    Group g;
    for (uint64_t i : members)
      if (first_scored(r, i) < r.end(i)) g.members.push_back(i), g.reward.push_back(r.total_reward(i));
    if (g.members.empty()) return g;
    if (best_worst_) {  // of several, the one that was sampled first
      auto [worst, best] = std::pair(std::min_element(g.reward.begin(), g.reward.end()),
                                     std::max_element(g.reward.begin(), g.reward.end()));
      if (differ(*worst, *best))
        g.pairs.push_back({static_cast<uint64_t>(best - g.reward.begin()),
                           static_cast<uint64_t>(worst - g.reward.begin())});
      return g;
    }
    for (uint64_t a = 0; a < g.members.size(); ++a)
      for (uint64_t b = a + 1; b < g.members.size(); ++b) {
        if (!differ(g.reward[a], g.reward[b])) continue;
        g.pairs.push_back(g.reward[a] > g.reward[b] ? Pair{a, b} : Pair{b, a});
      }
    return g;
  }
  // By more than rounding.
  static bool differ(double a, double b) { return !support::is_flat(std::array{a, b}); }

  PairLoss pair_loss(double u) const {
    if (is_ipo_) {
      const double off = u / beta_ - 1 / (2 * beta_);
      return {off * off, 2 * off / beta_};
    }
    return {(1 - label_smoothing_) * softplus(-u) + label_smoothing_ * softplus(u),
            -(1 - label_smoothing_) * sigmoid(-u) + label_smoothing_ * sigmoid(u)};
  }

  static uint64_t first_scored(const tenon::RolloutView& r, uint64_t i) {
    uint64_t t = r.begin(i);
    while (t < r.end(i) && !r.scored(t)) ++t;
    return t;
  }
  // G_g / N: each sample's weight is that of any of its tokens.
  static double weight_of(const tenon::RolloutView& r, const Group& g) {
    double sum = 0;
    for (uint64_t i : g.members) sum += r.weight(first_scored(r, i));
    return sum;
  }
  static double log_ratio(const tenon::RolloutView& r, uint64_t i) {
    double sum = 0;
    r.for_runs(i, [&](uint64_t begin, uint64_t end) {
      sum += support::sum_of_differences(r.raw().lp_new + begin, r.raw().lp_ref + begin, end - begin);
    });
    return sum;
  }
  static void fill(const tenon::RolloutView& r, uint64_t i, float slope, float* d_logprob) {
    r.for_runs(i,
               [&](uint64_t begin, uint64_t end) { std::fill(d_logprob + begin, d_logprob + end, slope); });
  }

  static void need_gradient_columns(const tenon::RolloutView& r) {
    support::need(r.raw().lp_new, "lp_new"), support::need(r.raw().lp_ref, "lp_ref");
    support::need(r.raw().reward, "reward"), support::need(r.raw().weight, "weight");
  }

  // s: the log-ratio of each member.
  [[noreturn]] static void throw_not_finite(const tenon::RolloutView& r, const Group& g,
                                            const std::vector<double>& s) {
    for (size_t k = 0; k < s.size(); ++k) {
      if (std::isfinite(s[k])) continue;
      const uint64_t i = g.members[k];
      for (uint64_t t = r.begin(i); t < r.end(i); ++t)
        if (r.scored(t) && !std::isfinite(r.lp_new(t) - r.lp_ref(t)))
          throw tenon::Error("the loss is not finite at token " + std::to_string(t - r.begin(i)) +
                             " of sample " + std::to_string(r.sample_id(i)) + ": lp_new " +
                             support::number_text(r.lp_new(t)) + ", lp_ref " +
                             support::number_text(r.lp_ref(t)));
    }
    throw tenon::Error(
        "the loss of the group of sample " + std::to_string(r.sample_id(g.members[0])) +
        " is not finite. The policy has moved too far from the reference; lower the learning rate");
  }

  double beta_, label_smoothing_;
  bool is_ipo_, best_worst_;
};

constexpr const char* kLosses[] = {"sigmoid", "ipo", nullptr};
constexpr const char* kPairs[] = {"all", "best-worst", nullptr};

}  // namespace

TENON_ALGORITHM_PLUGIN(
    Dpo, "dpo", "1.0.0", "Direct Preference Optimization on pairs of the policy's own samples.",
    tenon::number("beta", "0.1", "How closely the policy is held to the reference model.", {.min = "0"}),
    tenon::choice("loss", kLosses, "\"sigmoid\"",
                  "sigmoid: −log σ of the margin; ipo: its squared distance from 1/2."),
    tenon::number("label_smoothing", "0",
                  "Of loss: sigmoid. The share of preferences taken to be the wrong way round.",
                  {.min = "0", .max = "0.5"}),
    tenon::choice(
        "pairs", kPairs, "\"all\"",
        "all: every two samples of a group with different rewards; best-worst: the best and the worst one."))
