// GRPO (DeepSeekMath, arXiv 2402.03300, eq. 3, 4, sections 4.1.2 and 4.1.3; DeepSeek-R1, arXiv 2501.12948, eq. 1) and its variants: Dr. GRPO (2503.20783), DAPO
// (2503.14476), GSPO and GSPO-token (2507.18071, eq. 5 to 7, 13, 14), CISPO (2506.13585, eq. 4 and 5), GMPO (2507.20673, eq. 4).
// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "reference/advantages.h"
#include "reference/policy.h"
#include "reference/references.h"

namespace tenon::test::reference {
namespace {

class GrpoReference : public Reference {
 public:
  explicit GrpoReference(Given& given)
      : ratio_(given.str_or("ratio", "token")),
        objective_(given.str_or("objective", "clip")),
        is_process_(given.str_or("advantage", "outcome") == "process"),
        std_(given.str("std")),
        std_epsilon_(given.num("std_epsilon")),
        of_batch_(given.str_or("scale", "group") == "batch"),
        clip_{given.num("clip_low"), given.num("clip_high")},
        beta_(given.num("beta")),
        kl_(given.str("kl")),
        kl_in_reward_(given.str_or("kl_in", "loss") == "reward"),
        entropy_(given.has("entropy") ? given.num("entropy") : 0) {
    if (given.has("dual_clip"))
      clip_.dual = given.num_or("dual_clip", clip_.dual), clip_.delta = given.num_or("delta", clip_.delta);
  }

  void advantages(const Rollout& r, std::vector<double>& advantage, std::vector<double>&) const override {
    std::vector<double> all;
    for (const auto& group : groups_of(r))
      for (uint64_t i : group)
        for (const auto& [t, reward] : steps(r, i)) all.push_back(reward);
    for (const auto& group : groups_of(r)) {
      std::vector<double> own;
      for (uint64_t i : group)
        for (const auto& [t, reward] : steps(r, i)) own.push_back(reward);
      const bool equal = std::all_of(own.begin(), own.end(), [&](double x) { return x == own[0]; });
      const double mean = mean_of(own),
                   deviation = deviation_of(of_batch_ ? all : own, std_ == "population" ? 0 : 1);
      for (uint64_t i : group)
        for (const auto& [at, reward] : steps(r, i))
          for (uint64_t t : tokens_of(r, i))
            if (t <= at && !equal)
              advantage[t] += std_ == "none" ? reward - mean : (reward - mean) / (deviation + std_epsilon_);
    }
  }

  void gradient(const Rollout& r, Loss& out) const override {
    for (uint64_t i = 0; i < r.size(); ++i) {
      if (tokens_of(r, i).empty()) continue;
      if (objective_ == "clip")
        add_clipped(r, i, out);
      else if (objective_ == "cispo")
        add_cispo(r, i, out);
      else if (objective_ == "gmpo")
        add_gmpo(r, i, out);
      else
        throw Error("the reference knows no objective " + objective_);
      if (beta_ != 0 && !kl_in_reward_) add_divergence(r, i, out);
      for (uint64_t t : tokens_of(r, i)) {
        if (entropy_ == 0) continue;
        out.loss -= r.weight[t] * entropy_ * r.entropy[t];
        out.d_entropy[t] -= r.weight[t] * entropy_;
      }
    }
  }

 private:
  // What sequence i earned and up to which token it counts: the outcome for all tokens; by process, each token's reward up to it, the outcome at the last.
  std::vector<std::pair<uint64_t, double>> steps(const Rollout& r, uint64_t i) const {
    const std::vector<uint64_t> tokens = tokens_of(r, i);
    if (!is_process_) {
      const double kl = beta_ != 0 && kl_in_reward_ ? beta_ * r.kl_scale * k1_of_completion(r, i) : 0;
      return {{r.ids.offsets[i + 1], outcome(r, i) - kl}};
    }
    std::vector<std::pair<uint64_t, double>> out;
    for (uint64_t t : tokens) {
      const bool last = t == tokens.back(),
                 earned = !r.token_reward.empty() && !std::isnan(r.token_reward[t]);
      if (last || earned) out.emplace_back(t, (earned ? r.token_reward[t] : 0) + (last ? r.reward[i] : 0));
    }
    if (tokens.empty()) out.emplace_back(r.ids.offsets[i + 1], r.reward[i]);
    return out;
  }

  static double log_ratio(const Rollout& r, uint64_t t) { return double{r.lp_new[t]} - double{r.lp_old[t]}; }

  // The surrogate with the ratio of the token, of the completion (a product), its geometric mean, or that for the value and the token's own for the derivative.
  void add_clipped(const Rollout& r, uint64_t i, Loss& out) const {
    const std::vector<uint64_t> tokens = tokens_of(r, i);
    const double length = static_cast<double>(tokens.size());
    double sum = 0;
    for (uint64_t t : tokens) sum += log_ratio(r, t);
    double by_log_ratio = 0;
    for (uint64_t t : tokens) {
      const double log_rho = ratio_ == "token" ? log_ratio(r, t) : ratio_ == "sequence" ? sum : sum / length;
      const Term term = clipped(r.advantage[t], std::exp(log_rho), clip_);
      out.loss += r.weight[t] * term.loss;
      if (ratio_ == "token" || ratio_ == "geometric-mean-token")
        out.d_logprob[t] += r.weight[t] * term.slope;
      else
        by_log_ratio += r.weight[t] * term.slope;
    }
    for (uint64_t t : tokens)
      out.d_logprob[t] += ratio_ == "geometric-mean" ? by_log_ratio / length : by_log_ratio;
  }

  void add_cispo(const Rollout& r, uint64_t i, Loss& out) const {
    for (uint64_t t : tokens_of(r, i)) {
      const double constant =
          std::clamp(std::exp(log_ratio(r, t)), 1 - clip_.low, 1 + clip_.high) * r.advantage[t];
      out.loss -= r.weight[t] * constant * r.lp_new[t];
      out.d_logprob[t] -= r.weight[t] * constant;
    }
  }

  void add_gmpo(const Rollout& r, uint64_t i, Loss& out) const {
    const std::vector<uint64_t> tokens = tokens_of(r, i);
    const double length = static_cast<double>(tokens.size());
    double
        side = 0,
        sum = 0,
        gain =
            0;  // side: the advantages of a completion differ only by the stage's importance weights, not in sign
    for (uint64_t t : tokens) side += r.advantage[t];
    auto bounded = [&](uint64_t t) {
      return side > 0 ? std::min(log_ratio(r, t), clip_.high) : std::max(log_ratio(r, t), -clip_.low);
    };
    for (uint64_t t : tokens) sum += bounded(t), gain += r.weight[t] * r.advantage[t];
    const double mean = std::exp(sum / length);
    out.loss -= mean * gain;
    for (uint64_t t : tokens)
      if (bounded(t) == log_ratio(r, t)) out.d_logprob[t] -= mean * gain / length;
  }

  void add_divergence(const Rollout& r, uint64_t i, Loss& out) const {
    const std::vector<uint64_t> tokens = tokens_of(r, i);
    const double beta = beta_ * r.kl_scale;
    if (ratio_ != "sequence") {
      for (uint64_t t : tokens) {
        const Term kl = divergence(kl_, r.lp_new[t], r.lp_ref[t], r.lp_old[t]);
        out.loss += r.weight[t] * beta * kl.loss;
        out.d_logprob[t] += r.weight[t] * beta * kl.slope;
      }
      return;
    }
    double lp_new = 0, lp_ref = 0, lp_old = 0, weight = 0;
    for (uint64_t t : tokens)
      lp_new += r.lp_new[t], lp_ref += r.lp_ref[t], lp_old += r.lp_old[t], weight += r.weight[t];
    const Term kl = divergence(kl_, lp_new, lp_ref, lp_old);
    out.loss += weight * beta * kl.loss;
    for (uint64_t t : tokens) out.d_logprob[t] += weight * beta * kl.slope;
  }

  std::string ratio_, objective_;
  bool is_process_;
  std::string std_;
  double std_epsilon_;
  bool of_batch_;
  Clip clip_;
  double beta_;
  std::string kl_;
  bool kl_in_reward_;
  double entropy_;
};

}  // namespace

std::unique_ptr<Reference> make_grpo(Given& given) {
  return std::make_unique<GrpoReference>(given);
}

}  // namespace tenon::test::reference
