// How a token came to its gradient.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "algorithm_support/explain.h"
#include "grpo.h"

namespace tenon::grpo {

namespace support = algorithm_support;

void Grpo::explain(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const {
  support::need_gradient_columns(r);
  if (o_.beta != 0) support::need(r.raw().lp_ref, "lp_ref");
  explain_reward(r, i, t, out);
  explain_loss(r, i, t, out);
}

void Grpo::explain_reward(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const {
  out.link("reward", r.reward(i), "of the completion");
  if (!o_.process && r.total_reward(i) != r.reward(i))
    out.link("total reward", r.total_reward(i), "the completion's and those of its tokens");
  if (o_.beta != 0 && o_.kl_in_reward) {
    out.link("divergence", support::sequence_kl(r, i), "k1: Σ (lp_old − lp_ref) over its tokens");
    out.link("shaped reward", steps(r, i)[0].reward, "reward − beta · divergence");
  }
  const auto groups = r.groups();
  const Moments batch = batch_moments(r, groups);
  const std::vector<uint64_t>* group = nullptr;
  for (const auto& g : groups)
    if (r.group(g[0]) == r.group(i)) group = &g;
  const Moments m = group_moments(r, *group, batch);
  const std::vector<double> all = rewards(r, *group);
  out.link("group size", static_cast<double>(group->size()), "valid completions of the same prompt");
  if (o_.process)
    out.link("steps of the group", static_cast<double>(all.size()),
             "tokens with a reward; the outcome is the last token's");
  double advantage = 0;
  if (m.scale == 0) {
    out.link("group mean", all[0], "all rewards are equal but for rounding: no signal");
  } else {
    const Moments& whose = o_.batch_scale ? batch : m;
    out.link("group mean", (m.origin + m.mean) * m.scale,
             o_.process ? "of all step rewards" : "the baseline");
    if (o_.std != Std::kNone)
      out.link("scale", whose.deviation * whose.scale + o_.std_epsilon,
               std::string(o_.std == Std::kSample ? "sample" : "population") + " deviation of the " +
                   (o_.batch_scale ? "batch" : "group") + " + std_epsilon");
    const std::vector<Step> earned = steps(r, i);  // backwards, as set_process adds them
    for (auto step = earned.rbegin(); step != earned.rend(); ++step)
      if (step->t >= t) advantage += normalised(step->reward, m, batch);
  }
  const char* how = o_.std == Std::kNone ? "reward − mean" : "(reward − mean) / scale";
  out.link("advantage", advantage,
           o_.process ? std::string("Σ ") + how + " of the steps at or after the token" : how);
  support::explain_importance(r, t, advantage, out);
}

void Grpo::explain_loss(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const {
  const bool is_whole = o_.ratio != Ratio::kToken;
  const double a = r.advantage(t), x = r.lp_new(t) - r.lp_old(t);
  const support::Completion c = support::completion_of(r, i);
  const double ratio = is_whole && o_.objective != Objective::kGmpo ? c.ratio(whole()) : std::exp(x);
  out.link("log-ratio", x, "lp_new − lp_old of the token");
  if (is_whole)
    out.link("log-ratio of the completion", c.log_ratio,
             "Σ over its " + std::to_string(static_cast<uint64_t>(c.tokens)) + " tokens");
  out.link("ratio", ratio,
           !is_whole || o_.objective == Objective::kGmpo ? "e^log-ratio"
           : o_.ratio == Ratio::kSequence                ? "e^log-ratio of the completion"
                                                         : "e^(log-ratio of the completion / its tokens)");
  const bool logs = o_.objective == Objective::kGmpo;
  const double low = logs ? std::exp(-o_.clip.low) : 1 - o_.clip.low,
               high = logs ? std::exp(o_.clip.high) : 1 + o_.clip.high;
  if (o_.objective == Objective::kCispo)
    out.link("clip", std::min(std::max(ratio, low), high),
             "the ratio inside its bounds: a constant weight, which takes no gradient away");
  else
    support::explain_clip(a, ratio, low, high, o_.clip.cap, out);
  if (o_.has_kl_loss()) {
    double lp = r.lp_new(t), ref = r.lp_ref(t);
    if (o_.ratio == Ratio::kSequence) {
      lp = ref = 0;
      for (uint64_t s = r.begin(i); s < r.end(i); ++s)
        if (r.scored(s)) ref += r.lp_ref(s) - r.lp_new(s);
    }
    const support::KlTerm kl =
        support::kl_term(o_.kl, lp, ref, o_.ratio == Ratio::kSequence ? ratio : std::exp(x));
    out.link("divergence", kl.value,
             "from the reference; its slope by lp_new is " + support::number_text(kl.slope));
    out.link("beta", o_.beta * r.kl_scale(), "its weight");
  }
  support::explain_gradient(*this, r, i, t, out);
}

}  // namespace tenon::grpo
