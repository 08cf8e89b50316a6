// Metrics and samples of a step.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "rl.h"

namespace tenon::rl {
namespace {

// Mean and population standard deviation; NaN of nothing.
struct Moments {
  double mean = std::numeric_limits<double>::quiet_NaN(), std = std::numeric_limits<double>::quiet_NaN();
};
Moments moments(std::span<const double> values) {
  if (values.empty()) return {};
  double n = static_cast<double>(values.size()), sum = 0, square = 0;
  for (double v : values) sum += v;
  for (double v : values) square += (v - sum / n) * (v - sum / n);
  return {sum / n, std::sqrt(square / n)};
}

// Share of the groups in which no completion has an advantage.
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

void Rl::report(const stages::Sampled& batch, const UpdateStats& stats, double seconds) const {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const Rollout& r = batch.rollout;
  std::vector<double> rewards, accuracy, lengths;
  double truncated = 0;
  for (uint64_t i = 0; i < r.size(); ++i) {
    if (r.valid[i] != 0) rewards.push_back(r.total_reward(i));
    if (std::isfinite(batch.first[i])) accuracy.push_back(batch.first[i]);
    lengths.push_back(static_cast<double>(r.completion_len(i)));
    truncated += r.finish[i] == TENON_FINISH_LENGTH ? 1 : 0;
  }
  double n = static_cast<double>(r.size()), updates = static_cast<double>(stats.updates), tokens = 0;
  for (double length : lengths) tokens += length;

  stats.metrics.record(host_);
  host_.metric("reward/mean", moments(rewards).mean);
  host_.metric("reward/std", moments(rewards).std);
  host_.metric("accuracy", moments(accuracy).mean);
  host_.metric("completion/length_mean", tokens / n);
  host_.metric("completion/length_min", *std::min_element(lengths.begin(), lengths.end()));
  host_.metric("completion/length_max", *std::max_element(lengths.begin(), lengths.end()));
  host_.metric("completion/truncated", truncated / n);
  host_.metric("groups/no_signal", groups_without_signal(r));
  host_.metric("rollout/logprob_diff_max", stats.logprob_diff.value_or(kNone));
  host_.metric("loss", stats.updates > 0 ? stats.loss / updates : kNone);
  host_.metric("grad_norm", stats.updates > 0 ? stats.grad_norm / updates : kNone);
  host_.metric("learning_rate", stats.updates > 0 ? stats.learning_rate : kNone);
  host_.metric("updates", updates);
  host_.metric("updates/skipped", static_cast<double>(stats.skipped));
  host_.metric("tokens", tokens);
  host_.timing("tokens_per_second", tokens / seconds);

  // Evenly over the rollout, so over its prompts.
  uint64_t wanted = std::min(options_.samples_per_step, r.size());
  for (uint64_t k = 0; k < wanted; ++k) sample_out(host_, batch.to_json(k * r.size() / wanted));
}

// Once, when more than half of the updates had nothing to learn from: after the first ten steps, or at the end of a shorter run.
// Rollouts without one valid reward do not count: why there is none, the host says.
void Rl::warn_of_skipped(const Rollout& rollout, const UpdateStats& stats, uint64_t steps_done) {
  constexpr uint64_t kFirst = 10;
  if (std::find(rollout.valid.begin(), rollout.valid.end(), 1) == rollout.valid.end()) return;
  made_ += stats.updates;
  skipped_ += stats.skipped;
  if (warned_ || skipped_ <= made_ || (steps_done < kFirst && steps_done < options_.steps)) return;
  warned_ = true;
  host_.warn(std::to_string(skipped_) + " of the first " + std::to_string(skipped_ + made_) +
             " updates were skipped, as no completion had an advantage: within a group all rewards were "
             "equal. The problems are too hard "
             "or too easy for the model, or group_size is too small. The learning-rate schedule counts the "
             "updates that were made");
}

}  // namespace tenon::rl
