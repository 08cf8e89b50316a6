// The loop of reinforcement learning, as the papers write it (DeepSeekMath, arXiv 2402.03300, algorithm 1; DeepSeek-R1, arXiv 2501.12948).
// SPDX-License-Identifier: Apache-2.0
#include "rl.h"

namespace tenon::rl {

Rl::Rl(Host host)
    : host_(host),
      options_(host),
      model_(host.get_component<Model>("model")),
      tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
      data_(host.get_component<Dataset>("data")),
      algorithm_(host.get_component<Algorithm>("algorithm")),
      optimizer_(host.get_component<Optimizer>("optimizer")),
      sampler_(host),
      info_(algorithm_.info()) {
  if (needs(TENON_NEEDS_GROUPS) && options_.group_size == 1)
    throw Error(TENON_E_INVALID,
                "group_size is 1, and the algorithm compares the completions of a group: give at least 2");
  if (needs(TENON_NEEDS_VALUE))
    throw Error(TENON_E_UNSUPPORTED,
                "the algorithm needs the values of a critic, which this stage does not train");
  if (needs(TENON_NEEDS_REFERENCE)) reference_ = host.get_component<Model>("reference");
  stages::check_optimizer_steps(optimizer_, total_updates());
  sampler_.check_prompts("data", model_, tokenizer_, "model.tokenizer", UINT64_MAX);
}

void Rl::run(const tenon_call* call, const StageIo& io) {
  io.begin(options_.steps);
  io.bind("optimizer", "model", total_updates());
  for (uint64_t step = io.first_step(); step < options_.steps; ++step) {
    stages::Stopwatch watch;
    tenon_call now = stages::at_step(call, step);
    UpdateStats stats;

    stages::Sampled batch = sample_and_score(&now);
    Rollout& rollout = batch.rollout;
    rollout.lp_old = rollout.lp_sample;
    if (reference_) score_reference(&now, rollout);
    algorithm_.advantages(&now, rollout, stats.metrics);  // of whole groups, before they are shuffled apart
    Rollout trained = rollout;
    if (options_.mask_overlong)  // they count in their group's baseline, but not in the loss
      for (uint64_t i = 0; i < trained.size(); ++i)
        if (trained.finish[i] == TENON_FINISH_LENGTH) trained.valid[i] = 0;

    uint64_t sampled_by = version_;
    for (uint64_t epoch = 0; epoch < options_.epochs; ++epoch)
      for (const auto& rows : mini_batches(rollout.size(), step * options_.epochs + epoch))
        update(&now, trained.select(rows), version_ == sampled_by, stats);

    report(batch, stats, watch.seconds());
    warn_of_skipped(rollout, stats, step + 1);
    io.step_end(step);
  }
}

}  // namespace tenon::rl

namespace {
constexpr tenon_component kRl = tenon::component<tenon::rl::Rl, tenon::StageShim<tenon::rl::Rl>>(
    "rl", "0.1.0", "Reinforcement learning on prompts with verifiable rewards.", tenon::rl::kOptions);
}
TENON_PLUGIN("rl", "0.1.0", &kRl)
