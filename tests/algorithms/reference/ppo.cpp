// PPO for language models: Schulman et al., arXiv 1707.06347, eq. 7 and 9; generalised advantages, arXiv 1506.02438; the divergence in the reward, arXiv
// 2203.02155; the clipped loss of the values as in OpenAI's baselines.
// SPDX-License-Identifier: Apache-2.0
#include "reference/advantages.h"
#include "reference/policy.h"
#include "reference/references.h"

namespace tenon::test::reference {
namespace {

class PpoReference : public Reference {
 public:
  explicit PpoReference(Given& given)
      : gamma_(given.num("gamma")),
        lambda_(given.num("lambda")),
        beta_(given.num("beta")),
        whiten_(given.flag("whiten")),
        clip_{given.num("clip_low"), given.num("clip_high"),
              given.num_or("dual_clip", std::numeric_limits<double>::infinity())},
        value_clip_(given.num_or("value_clip", std::numeric_limits<double>::infinity())),
        value_coef_(given.num("value_coef")),
        entropy_(given.num("entropy")) {}

  void advantages(const Rollout& r, std::vector<double>& advantage,
                  std::vector<double>& target) const override {
    for (uint64_t i = 0; i < r.size(); ++i) {
      if (r.valid[i] == 0) continue;
      const std::vector<uint64_t> tokens = tokens_of(r, i);
      std::vector<double> value;
      for (uint64_t t : tokens) value.push_back(r.value_old[t]);
      const std::vector<double> a =
          generalised_advantages(rewards_of_tokens(r, i, beta_ * r.kl_scale), value, gamma_, lambda_);
      for (size_t k = 0; k < tokens.size(); ++k)
        advantage[tokens[k]] = a[k], target[tokens[k]] = a[k] + value[k];
    }
    if (whiten_) whiten(r, advantage);
  }

  void gradient(const Rollout& r, Loss& out) const override {
    conformance::for_counting_tokens(r, [&](uint64_t, uint64_t t) {
      const double w = r.weight[t];
      const Term policy = clipped(r.advantage[t], std::exp(double{r.lp_new[t]} - double{r.lp_old[t]}), clip_);
      out.loss += w * policy.loss;
      out.d_logprob[t] = w * policy.slope;
      // ½ max((v − R)², (clip(v, V ± ε) − R)²)
      const double v = r.value[t], old = r.value_old[t], target = r.value_target[t];
      const double free = (v - target) * (v - target),
                   bounded = std::pow(std::clamp(v, old - value_clip_, old + value_clip_) - target, 2);
      out.loss += w * value_coef_ * std::max(free, bounded) / 2;
      out.d_value[t] = free >= bounded ? w * value_coef_ * (v - target) : 0;
      if (entropy_ != 0) {
        out.loss -= w * entropy_ * r.entropy[t];
        out.d_entropy[t] = -w * entropy_;
      }
    });
  }

 private:
  double gamma_, lambda_, beta_;
  bool whiten_;
  Clip clip_;
  double value_clip_, value_coef_, entropy_;
};

}  // namespace

std::unique_ptr<Reference> make_ppo(Given& given) {
  return std::make_unique<PpoReference>(given);
}

}  // namespace tenon::test::reference
