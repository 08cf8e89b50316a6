// Metrics and samples of a step.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <map>

#include "rl.h"

namespace tenon::rl {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Mean and population standard deviation; NaN of nothing.
struct Moments {
  double mean = kNone, std = kNone;
};
Moments moments(std::span<const double> values) {
  if (values.empty()) return {};
  double n = static_cast<double>(values.size()), sum = 0, square = 0;
  for (double v : values) sum += v;
  for (double v : values) square += (v - sum / n) * (v - sum / n);
  return {sum / n, std::sqrt(square / n)};
}

double least(std::span<const double> values) {
  return values.empty() ? kNone : *std::min_element(values.begin(), values.end());
}
double most(std::span<const double> values) {
  return values.empty() ? kNone : *std::max_element(values.begin(), values.end());
}

// Share of the groups in which no completion that is trained on has an advantage.
double groups_without_signal(const Rollout& r) {
  std::map<uint64_t, bool> signal;
  for (uint64_t i = 0; i < r.size(); ++i) {
    bool& any = signal[r.group_id[i]];
    if (r.valid[i] == 0) continue;
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      any = any || (r.mask[t] != 0 && r.advantage[t] != 0);
  }
  double none = 0;
  for (const auto& [group, any] : signal) none += any ? 0 : 1;
  return none / static_cast<double>(signal.size());
}

}  // namespace

void Rl::report(const stages::Sampled& batch, const Rollout& trained, const Drawn& drawn,
                const UpdateStats& stats, double seconds) const {
  const double n = static_cast<double>(drawn.lengths.size());
  double tokens = 0;
  for (double length : drawn.lengths) tokens += length;

  stats.metrics.record(host_);
  host_.metric("reward/mean", moments(drawn.rewards).mean);
  host_.metric("reward/std", moments(drawn.rewards).std);
  host_.metric("accuracy", moments(drawn.accuracy).mean);
  drawn.reward_by_domain.record(host_, "reward/mean");
  drawn.accuracy_by_domain.record(host_, "accuracy");
  host_.metric("completion/length_mean", tokens / n);
  host_.metric("completion/length_min", least(drawn.lengths));
  host_.metric("completion/length_max", most(drawn.lengths));
  host_.metric("completion/terminated_length_mean", moments(drawn.terminated).mean);
  host_.metric("completion/terminated_length_min", least(drawn.terminated));
  host_.metric("completion/terminated_length_max", most(drawn.terminated));
  host_.metric("completion/truncated", 1 - static_cast<double>(drawn.terminated.size()) / n);
  host_.metric("entropy", drawn.surprise / tokens);
  host_.metric("groups/no_signal", groups_without_signal(trained));
  host_.metric("tokens", tokens);
  if (needs(TENON_NEEDS_GROUPS)) host_.metric("groups/dropped", static_cast<double>(stats.dropped_groups));
  if (options_.refills > 0) {
    host_.metric("refill/rounds", static_cast<double>(drawn.rounds));
    host_.metric("refill/groups_thrown_away", static_cast<double>(drawn.thrown_away));
  }
  report_updates(stats);
  host_.timing("tokens_per_second", tokens / seconds);

  // Evenly over the rollout, so over its prompts.
  uint64_t wanted = std::min(options_.samples_per_step, batch.rollout.size());
  for (uint64_t k = 0; k < wanted; ++k) sample_out(host_, batch.to_json(k * batch.rollout.size() / wanted));
}

void Rl::report_updates(const UpdateStats& stats) const {
  const double updates = static_cast<double>(stats.updates),
               critic_updates = static_cast<double>(stats.critic_updates);
  const double passes = std::max(updates, critic_updates);
  host_.metric("rollout/logprob_diff_max", stats.logprob_diff.value_or(kNone));
  host_.metric("loss", passes > 0 ? stats.loss / passes : kNone);
  host_.metric("grad_norm", updates > 0 ? stats.grad_norm / updates : kNone);
  host_.metric("learning_rate", updates > 0 ? stats.learning_rate : kNone);
  host_.metric("updates", updates);
  host_.metric("updates/skipped", static_cast<double>(stats.skipped));
  if (critic_) {
    host_.metric("critic/grad_norm", critic_updates > 0 ? stats.critic_grad_norm / critic_updates : kNone);
    host_.metric("critic/learning_rate", critic_updates > 0 ? stats.critic_learning_rate : kNone);
  }
  if (reference_) host_.metric("reference_kl", stats.kl.value_or(kNone));
  if (controller_) host_.metric("kl_scale", controller_->scale());
  const ImportanceWeights& w = stats.importance;
  if (options_.importance.level == ImportanceLevel::kNone) return;
  host_.metric("importance/mean", w.count > 0 ? w.sum / w.count : kNone);
  host_.metric("importance/min", w.count > 0 ? w.least : kNone);
  host_.metric("importance/max", w.count > 0 ? w.most : kNone);
  host_.metric("importance/bounded", w.count > 0 ? w.bounded / w.count : kNone);
}

// How each row came out, for a data set that chooses by it.
void Rl::tell_curriculum(const tenon_call* call, const stages::Sampled& batch) const {
  if (!data_.is_curriculum()) return;
  std::vector<uint64_t> index, n_valid;
  std::vector<double> mean;
  for (uint64_t i = 0; i < batch.rollout.size(); ++i) {
    if (i == 0 || batch.rollout.group_id[i] != batch.rollout.group_id[i - 1])
      index.push_back(batch.row_index[i]), n_valid.push_back(0), mean.push_back(0);
    if (std::isnan(batch.first[i])) continue;
    n_valid.back() += 1;
    mean.back() += (batch.first[i] - mean.back()) / static_cast<double>(n_valid.back());
  }
  for (size_t k = 0; k < mean.size(); ++k)
    if (n_valid[k] == 0) mean[k] = kNone;
  data_.outcome(call, index, mean, n_valid);
}

// Once, when more than half of the updates had nothing to learn from: after the first ten steps, or at the end of a shorter run.
// Rollouts without one valid reward do not count: why there is none, the host says.
void Rl::warn_of_skipped(const Rollout& rollout, const UpdateStats& stats, uint64_t steps_done) {
  constexpr uint64_t kFirst = 10;
  if (std::find(rollout.valid.begin(), rollout.valid.end(), 1) == rollout.valid.end()) return;
  made_ += std::max(stats.updates, stats.critic_updates);
  skipped_ += stats.skipped;
  if (warned_ || skipped_ <= made_ || (steps_done < kFirst && steps_done < options_.steps)) return;
  warned_ = true;
  const char* const why = options_.refills > 0 && options_.refill_by_accuracy
                              ? "no group had both right and wrong answers (refill_by: accuracy). The problems "
                                "are too hard or too easy for the model, or group_size is too small"
                          : needs(TENON_NEEDS_GROUPS)
                              ? "within a group all rewards were equal. The problems are too hard or too "
                                "easy for the model, or group_size is too small"
                              : "all rewards were 0, or equal to what the algorithm compares them with. "
                                "The problems are too hard or too easy for the model";
  host_.warn(std::to_string(skipped_) + " of the first " + std::to_string(skipped_ + made_) +
             " updates were skipped, as there was nothing to learn from: " + why +
             ". The learning-rate schedule counts the updates that were made");
}

// Once, at the first rollout with a valid reward.
void Rl::warn_of_missing_token_rewards(const Rollout& rollout) {
  if (!needs(TENON_NEEDS_TOKEN_REWARD) || warned_of_token_rewards_) return;
  if (std::find(rollout.valid.begin(), rollout.valid.end(), 1) == rollout.valid.end()) return;
  warned_of_token_rewards_ = true;
  if (std::any_of(rollout.token_reward.begin(), rollout.token_reward.end(),
                  [](double x) { return !std::isnan(x); }))
    return;
  host_.warn(
      "the algorithm asks for rewards of single tokens (process supervision), and none of `rewards` gives "
      "any: each completion's outcome counts as its only step, as with supervision of outcomes");
}

}  // namespace tenon::rl
