// The loop of reinforcement learning, as the papers write it (DeepSeekMath, arXiv 2402.03300, algorithm 1; DeepSeek-R1, arXiv 2501.12948).
// SPDX-License-Identifier: Apache-2.0
#include "rl.h"

namespace tenon::rl {

void Rl::run(const tenon_call* call, const StageIo& io) {
  io.begin(options_.steps);
  io.bind("optimizer", "model", updates_in(options_.steps - options_.critic_warmup));
  if (critic_optimizer_) io.bind("critic_optimizer", "critic", updates_in(options_.steps));
  stages::train(call, io, options_.steps, held_out_, [&](const tenon_call* now, uint64_t step) {
    one_step(now, io, step);
    return version_;
  });
}

void Rl::one_step(const tenon_call* now, const StageIo& io, uint64_t step) {
  const stages::Stopwatch watch;
  UpdateStats stats;
  Drawn drawn;

  stages::Sampled batch = sample_and_score(now, drawn);
  Rollout& rollout = batch.rollout;
  stats.dropped_groups = drop_small_groups(rollout);
  complete_columns(now, rollout, stats);
  algorithm_.advantages(now, rollout, stats.metrics);  // of whole groups, before they are shuffled apart
  check_finite(rollout, rollout.advantage, "advantage", "the algorithm");
  if (!rollout.value_target.empty())
    check_finite(rollout, rollout.value_target, "value_target", "the algorithm");
  Rollout trained = what_is_trained(rollout, drawn, stats);
  trace_ = Trace::of_step(host_, options_, io, now, batch, trained, stats.importance.weight);

  uint64_t sampled_by = version_;
  for (uint64_t epoch = 0; epoch < options_.epochs; ++epoch)
    for (const auto& rows : mini_batches(rollout, step * options_.epochs + epoch))
      update(now, trained.select(rows), rows, version_ == sampled_by, stats);

  if (controller_ && stats.kl && trains_policy(now))
    controller_->update(*stats.kl, static_cast<double>(rollout.size()));
  if (trace_) trace_->write(host_);
  report(batch, trained, drawn, stats, watch.seconds());
  warn_of_skipped(rollout, stats, step + 1);
  warn_of_missing_token_rewards(rollout);
}

void Rl::save(Writer& w) const {
  w.value(version_), w.value(critic_version_), w.value(refreshed_);
  w.value(controller_ ? controller_->scale() : 1.0);
  if (held_out_) held_out_->save(w);
}

void Rl::load(Reader& r, uint32_t version) {
  version_ = r.value<uint64_t>();
  if (version == 1) return;
  critic_version_ = r.value<uint64_t>(), refreshed_ = r.value<uint64_t>();
  const double scale = r.value<double>();
  if (controller_) controller_->set_scale(scale);
  if (held_out_ && version >= 3) held_out_->load(r);
}

}  // namespace tenon::rl

namespace {
constexpr tenon_component kRl = tenon::component<tenon::rl::Rl, tenon::StageShim<tenon::rl::Rl>>(
    "rl", "0.3.0", "Reinforcement learning on prompts with verifiable rewards.", tenon::rl::kOptions);
}
TENON_PLUGIN("rl", "0.3.0", &kRl)
