// REINFORCE (Williams 1992), RLOO (Ahmadian et al., arXiv 2402.14740) and REINFORCE++ (Hu et al., arXiv 2501.03262), with PPO's clipped surrogate where they
// have it.
// SPDX-License-Identifier: Apache-2.0
#include "reference/advantages.h"
#include "reference/policy.h"
#include "reference/references.h"

namespace tenon::test::reference {
namespace {

// L = Σ w (policy's term + β k2), the term being −A log p or clipped.
void add_policy(const Rollout& r, Loss& out, const Clip* clip, double k2_weight) {
  conformance::for_counting_tokens(r, [&](uint64_t, uint64_t t) {
    const double a = r.advantage[t], lp = r.lp_new[t], w = r.weight[t];
    Term term = clip != nullptr ? clipped(a, std::exp(lp - double{r.lp_old[t]}), *clip) : Term{-a * lp, -a};
    if (k2_weight != 0) {
      const Term kl = divergence("k2", lp, r.lp_ref[t], r.lp_old[t]);
      term.loss += k2_weight * kl.loss, term.slope += k2_weight * kl.slope;
    }
    out.loss += w * term.loss;
    out.d_logprob[t] = w * term.slope;
  });
}

class ReinforceReference : public Reference {
 public:
  explicit ReinforceReference(Given& given) : has_baseline_(given.str("baseline") == "group") {}
  void advantages(const Rollout& r, std::vector<double>& advantage, std::vector<double>&) const override {
    for (const auto& group : groups_of(r)) {
      std::vector<double> earned;
      for (uint64_t i : group) earned.push_back(outcome(r, i));
      for (size_t k = 0; k < group.size(); ++k)
        set_all(r, group[k], earned[k] - (has_baseline_ ? mean_of(earned) : 0), advantage);
    }
  }
  void gradient(const Rollout& r, Loss& out) const override { add_policy(r, out, nullptr, 0); }

 private:
  bool has_baseline_;
};

// Each reward less the mean of the others of its group, the divergence (k1 of the completion) being part of the reward.
class RlooReference : public Reference {
 public:
  explicit RlooReference(Given& given)
      : clipped_(given.str("loss") == "clipped"),
        ratio_(given.str_or("ratio", "token")),
        clip_{given.num("clip_low"), given.num("clip_high")},
        beta_(given.num("beta")) {}
  void advantages(const Rollout& r, std::vector<double>& advantage, std::vector<double>&) const override {
    for (const auto& group : groups_of(r)) {
      if (group.size() < 2) continue;
      for (uint64_t i : group) {
        double others = 0;
        for (uint64_t j : group)
          if (j != i) others += earned(r, j) / static_cast<double>(group.size() - 1);
        set_all(r, i, earned(r, i) - others, advantage);
      }
    }
  }
  void gradient(const Rollout& r, Loss& out) const override {
    if (ratio_ == "token" || !clipped_) return add_policy(r, out, clipped_ ? &clip_ : nullptr, 0);
    // The ratio of the whole completion: one surrogate, on each of its tokens with the token's weight.
    for (uint64_t i = 0; i < r.size(); ++i) {
      const std::vector<uint64_t> tokens = tokens_of(r, i);
      double log_ratio = 0, weight = 0;
      for (uint64_t t : tokens) log_ratio += double{r.lp_new[t]} - double{r.lp_old[t]};
      for (uint64_t t : tokens) {
        const Term term = clipped(r.advantage[t], std::exp(log_ratio), clip_);
        out.loss += r.weight[t] * term.loss, weight += r.weight[t] * term.slope;
      }
      for (uint64_t t : tokens) out.d_logprob[t] = weight;
    }
  }

 private:
  double earned(const Rollout& r, uint64_t i) const {
    return outcome(r, i) - (beta_ != 0 ? beta_ * r.kl_scale * k1_of_completion(r, i) : 0);
  }
  bool clipped_;
  std::string ratio_;
  Clip clip_;
  double beta_;
};

// §3.1: rewards to go, less k1 of each token; §3.2: rewards less their group's mean, and k2 in the loss. Both whitened over all tokens.
class PlusPlusReference : public Reference {
 public:
  explicit PlusPlusReference(Given& given)
      : has_baseline_(given.str("baseline") == "group"),
        gamma_(given.num("gamma")),
        beta_(given.num("beta")),
        clip_{given.num("clip_low"), given.num("clip_high")} {}
  void advantages(const Rollout& r, std::vector<double>& advantage, std::vector<double>&) const override {
    if (has_baseline_) {
      for (const auto& group : groups_of(r)) {
        std::vector<double> earned;
        for (uint64_t i : group) earned.push_back(outcome(r, i));
        for (size_t k = 0; k < group.size(); ++k)
          set_all(r, group[k], earned[k] - mean_of(earned), advantage);
      }
    } else {
      for (uint64_t i = 0; i < r.size(); ++i) {
        if (r.valid[i] == 0) continue;
        const std::vector<uint64_t> tokens = tokens_of(r, i);
        const std::vector<double> reward = rewards_of_tokens(r, i, beta_ * r.kl_scale);
        // No critic: values 0, λ = 1.
        const std::vector<double> to_go =
            generalised_advantages(reward, std::vector<double>(reward.size(), 0.0), gamma_, 1);
        for (size_t k = 0; k < tokens.size(); ++k) advantage[tokens[k]] = to_go[k];
      }
    }
    whiten(r, advantage);
  }
  void gradient(const Rollout& r, Loss& out) const override {
    add_policy(r, out, &clip_, has_baseline_ ? beta_ * r.kl_scale : 0);
  }

 private:
  bool has_baseline_;
  double gamma_, beta_;
  Clip clip_;
};

}  // namespace

std::unique_ptr<Reference> make_reinforce(Given& given) {
  return std::make_unique<ReinforceReference>(given);
}
std::unique_ptr<Reference> make_rloo(Given& given) {
  return std::make_unique<RlooReference>(given);
}
std::unique_ptr<Reference> make_reinforce_plus_plus(Given& given) {
  return std::make_unique<PlusPlusReference>(given);
}

}  // namespace tenon::test::reference
