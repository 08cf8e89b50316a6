// What the explanations of algorithms have in common: the last links of the chain.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "algorithm_support/policy_loss.h"

namespace tenon::algorithm_support {

// The stage multiplies advantages by importance weights where it corrects for the sampler. advantage: before that.
inline void explain_importance(const RolloutView& r, uint64_t t, double advantage, const Explanation& out) {
  if (advantage != 0 && r.advantage(t) != advantage)
    out.link("importance weight", r.advantage(t) / advantage,
             "the stage's, of trainer against sampler; the loss has advantage · this");
}

// The bound that a ratio met, if any. a: the advantage; the bounds are one-sided as in clipped_surrogate.
inline void explain_clip(double a, double ratio, double low, double high, double cap,
                         const Explanation& out) {
  if (a > 0 && ratio > high)
    out.link("clip", high, "the upper bound: this token's policy gradient is 0");
  else if (a < 0 && ratio < low)
    out.link("clip", low, "the lower bound: this token's policy gradient is 0");
  else if (a < 0 && ratio > cap)
    out.link("clip", cap, "the bound of negative advantages: this token's policy gradient is 0");
  else
    out.link("clip", ratio, "inside the bounds");
}

// The clipped surrogate of token t with the token's own ratio: ratio, bound, slope. Returns the slope by lp_new, before the weight.
inline double explain_surrogate(const RolloutView& r, uint64_t t, const Clip& clip, const Explanation& out) {
  double ratio = 0;
  exp_of_differences(r.raw().lp_new + t, r.raw().lp_old + t, 1, &ratio);
  out.link("ratio", ratio, "exp(lp_new − lp_old)");
  explain_clip(r.advantage(t), ratio, 1 - clip.low, 1 + clip.high, clip.cap, out);
  const double slope = clipped_surrogate(r.advantage(t), ratio, clip.low, clip.high, clip.cap).slope;
  out.link("slope", slope, "−ratio · advantage inside the bounds, else 0");
  return slope;
}

// The weight of token t, and its derivatives as `algorithm.gradient` gives them to the optimizer: the very function, on sequence i alone.
template <class T>
void explain_gradient(const T& algorithm, const RolloutView& r, uint64_t i, uint64_t t,
                      const Explanation& out) {
  out.link("weight", r.weight(t), "the host's normaliser");
  tenon_rollout one = r.raw();
  one.n_seq = 1, one.offsets += i, one.group_id += i, one.reward += i;
  if (one.valid != nullptr) one.valid += i;
  if (one.sample_id != nullptr) one.sample_id += i;
  std::vector<float> d_logprob(r.tokens()), d_entropy(r.raw().entropy != nullptr ? r.tokens() : 0);
  tenon_gradient_out to{};
  to.struct_size = sizeof to;
  to.d_logprob = d_logprob.data();
  if (!d_entropy.empty()) to.d_entropy = d_entropy.data();
  Gradient gradient(&to);
  algorithm.gradient(RolloutView(&one), gradient);
  if (!d_entropy.empty() && d_entropy[t] != 0)
    out.link("gradient by entropy", static_cast<double>(d_entropy[t]), "dL / dH");
  out.link("gradient", static_cast<double>(d_logprob[t]), "dL / d lp_new");
}

}  // namespace tenon::algorithm_support
