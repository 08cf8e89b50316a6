// Rewards to advantages.
// SPDX-License-Identifier: Apache-2.0
//
// Outcome supervision (DeepSeekMath 4.1.2), the same for all tokens of completion i of a group of G:
//
//   Â_i = (r_i − mean(r)) / (std(r) + std_epsilon)          r: what each completion of the group earned in all,
//                                                           with `kl_in: reward` less β Σ_t (lp_old − lp_ref)
//
// Process supervision (4.1.3), R being all step rewards of the group; a step is a token with a reward, and the
// completion's outcome is earned at its last token:
//
//   r̃ = (r − mean(R)) / (std(R) + std_epsilon),   Â_t = Σ r̃ of the steps of i at or after t
//
// An outcome is so a completion's only step, and both are computed as one. `scale: batch` has the std of all
// rewards of the rollout in place of std(r) and the mean of the group, as TRL's scale_rewards="batch".
//
// Rewards are compared as differences from the group's first, which are exact where rewards are near each other: a
// mean of rounded numbers would leave deviations that are rounding alone. A group whose rewards differ by no more than
// rounding (is_flat) has Â = 0.
#include <cmath>

#include "grpo.h"

namespace tenon::grpo {

namespace support = algorithm_support;

std::vector<Grpo::Step> Grpo::steps(const RolloutView& r, uint64_t i) const {
  if (!o_.process) {
    const bool shaped = o_.beta != 0 && o_.kl_in_reward;
    const double kl = shaped ? support::sequence_kl(r, i) : 0;
    if (!std::isfinite(kl))
      throw Error("grpo: the divergence of sample " + std::to_string(r.sample_id(i)) +
                  " from the reference is " + support::number_text(kl) +
                  ": lp_old or lp_ref has a token that is not a finite number");
    return {{r.end(i), r.total_reward(i) - o_.beta * r.kl_scale() * kl}};
  }
  std::vector<Step> out;
  uint64_t last = r.end(i);
  r.for_runs(i, [&](uint64_t begin, uint64_t end) {
    for (uint64_t t = begin; t < end; ++t)
      if (r.has_token_reward(t)) out.push_back({t, r.token_reward(t)});
    last = end - 1;
  });
  if (out.empty() || out.back().t != last) out.push_back({last, 0});
  out.back().reward += r.reward(i);
  return out;
}

std::vector<double> Grpo::rewards(const RolloutView& r, const std::vector<uint64_t>& group) const {
  std::vector<double> out;
  for (uint64_t i : group)
    for (const Step& step : steps(r, i)) out.push_back(step.reward);
  return out;
}

// scale: 0, or what to use in place of the rewards' own.
Grpo::Moments Grpo::moments(const std::vector<double>& rewards, double scale) const {
  if (support::is_flat(rewards)) return {};
  if (scale == 0) {
    double largest = 0;
    for (double x : rewards) largest = std::max(largest, std::abs(x));
    scale = std::exp2(std::ilogb(largest));
  }
  const double n = static_cast<double>(rewards.size()), origin = rewards[0] / scale;
  double sum = 0, squares = 0;
  for (double x : rewards) sum += x / scale - origin;
  const double mean = sum / n;
  for (double x : rewards) {
    const double centred = x / scale - origin - mean;
    squares += centred * centred;
  }
  return {scale, origin, mean, std::sqrt(squares / (o_.std == Std::kPopulation ? n : n - 1))};
}

Grpo::Moments Grpo::batch_moments(const RolloutView& r,
                                  const std::vector<std::vector<uint64_t>>& groups) const {
  std::vector<double> all;
  if (o_.batch_scale)
    for (const auto& group : groups) {
      const std::vector<double> part = rewards(r, group);
      all.insert(all.end(), part.begin(), part.end());
    }
  return moments(all, 0);
}

Grpo::Moments Grpo::group_moments(const RolloutView& r, const std::vector<uint64_t>& group,
                                  const Moments& batch) const {
  if (o_.batch_scale && batch.scale == 0) return {};
  return moments(rewards(r, group), batch.scale);
}

double Grpo::normalised(double reward, const Moments& group, const Moments& batch) const {
  if (group.scale == 0) return 0;
  const double centred = reward / group.scale - group.origin - group.mean;
  if (o_.std == Std::kNone) return centred * group.scale;
  return centred / ((o_.batch_scale ? batch : group).deviation + o_.std_epsilon / group.scale);
}

// a: an advantage of sequence i. reward: of what it was made last.
void Grpo::check_finite(const RolloutView& r, uint64_t i, double a, double reward) {
  if (!std::isfinite(a))
    throw Error("grpo: the advantage of sample " + std::to_string(r.sample_id(i)) + " is " +
                support::number_text(a) + ": the reward " + support::number_text(reward) +
                " is too far from the others of its group; scale rewards down");
}

// Goes backwards, so that each token meets the steps at or after it in turn.
void Grpo::set_process(const RolloutView& r, uint64_t i, const Moments& group, const Moments& batch,
                       Advantages& out) const {
  const std::vector<Step> steps = this->steps(r, i);
  auto next = steps.rbegin();
  double sum = 0;
  for (uint64_t t = r.end(i); t-- > r.begin(i);) {
    for (; next != steps.rend() && next->t >= t; ++next) {
      sum += normalised(next->reward, group, batch);
      check_finite(r, i, sum, next->reward);
    }
    if (r.scored(t)) out.set_token(t, sum);
  }
}

void Grpo::advantages(const RolloutView& r, Advantages& out) const {
  const bool shaped = o_.beta != 0 && o_.kl_in_reward;
  if (shaped) support::need(r.raw().lp_ref, "lp_ref"), support::need(r.raw().lp_old, "lp_old");
  support::check_rewards(r);
  const auto groups = r.groups();
  const Moments batch = batch_moments(r, groups);
  support::AdvantageMetrics metrics;
  double spread = 0, kl = 0, sequences = 0;
  for (const auto& group : groups) {
    const Moments m = group_moments(r, group, batch);
    spread += m.scale * m.deviation;
    for (uint64_t i : group) {
      sequences += 1;
      if (shaped) kl += support::sequence_kl(r, i);
      if (o_.process) {
        set_process(r, i, m, batch, out);
        for (uint64_t t = r.begin(i); t < r.end(i); ++t)
          if (r.scored(t)) metrics.add(out.at(t));
        continue;
      }
      const double reward = steps(r, i)[0].reward, a = normalised(reward, m, batch);
      check_finite(r, i, a, reward);
      out.set(i, a);
      metrics.add(a);
    }
  }
  metrics.report(out);
  if (!groups.empty()) out.metric("reward/group_std", spread, static_cast<double>(groups.size()));
  if (shaped) out.metric("kl", kl, sequences);
}

}  // namespace tenon::grpo
