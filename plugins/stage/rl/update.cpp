// One optimizer update on a mini-batch.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "rl.h"

namespace tenon::rl {

// The weights are those of the whole mini-batch; then the sequences that have no part in the gradient are left out, which costs nothing and changes nothing.
void Rl::update(const tenon_call* call, Rollout batch, bool on_policy, UpdateStats& stats) {
  Timed timed(host_, "update");
  loss_weights(host_, info_, batch);
  std::vector<uint64_t> active;
  for (uint64_t i = 0; i < batch.size(); ++i)
    if (has_signal(batch, i)) active.push_back(i);
  if (active.empty()) {
    ++stats.skipped;
    return;
  }
  batch = batch.select(active);

  bool known_beforehand =
      on_policy && (model_.ref()->flags & TENON_C_BATCH_INVARIANT) != 0 && !needs(TENON_NEEDS_ENTROPY);
  model_.zero_grad(call);
  for (const auto& rows : batch.micro_batches(options_.micro_batch_tokens)) {
    host_.throw_if_cancelled(call);
    Rollout part = batch.select(rows);
    std::vector<float> logprob =
        known_beforehand ? accumulate(call, part, stats) : score_and_backward(call, part, stats);
    if (on_policy) compare_logprobs(part, logprob, stats);
  }
  tenon_optimizer_stats step = stages::optimizer_step(call, model_, optimizer_, ++version_);
  ++stats.updates;
  stats.grad_norm += step.grad_norm;
  stats.learning_rate = step.learning_rate;
}

// The policy is the one that sampled, so its log-probabilities are the sampler's, and the gradient is known before the forward pass.
std::vector<float> Rl::accumulate(const tenon_call* call, Rollout& part, UpdateStats& stats) const {
  part.lp_new = part.lp_sample;
  Algorithm::Columns columns = algorithm_.gradient(call, part, stats.metrics);
  stats.loss += columns.loss;
  std::vector<float> logprob(part.tokens());
  model_.accumulate(call, part.tokens_for_model(sampler_.temperature()), columns.d_logprob.data(),
                    logprob.data());
  return logprob;
}

std::vector<float> Rl::score_and_backward(const tenon_call* call, Rollout& part, UpdateStats& stats) const {
  part.lp_new.assign(part.tokens(), 0);
  if (needs(TENON_NEEDS_ENTROPY)) part.entropy.assign(part.tokens(), 0);
  uint64_t tape = 0;
  model_.score(call, part.tokens_for_model(sampler_.temperature()), part.lp_new.data(),
               part.entropy.empty() ? nullptr : part.entropy.data(), nullptr, &tape);
  Algorithm::Columns columns;
  try {
    columns = algorithm_.gradient(call, part, stats.metrics);
  } catch (...) {
    model_.vt().drop_tape(model_.ref()->self, tape);
    throw;
  }
  stats.loss += columns.loss;
  model_.backward(call, tape, columns.d_logprob.data(),
                  columns.d_entropy.empty() ? nullptr : columns.d_entropy.data(), nullptr);
  return part.lp_new;
}

// Sampling and training must be one forward pass. Where they are not, every ratio is wrong, and training goes astray without a sign: so it stops.
void Rl::compare_logprobs(const Rollout& part, std::span<const float> logprob, UpdateStats& stats) const {
  for (uint64_t i = 0; i < part.size(); ++i)
    for (uint64_t t = part.ids.offsets[i]; t < part.ids.offsets[i + 1]; ++t) {
      if (part.mask[t] == 0) continue;
      double diff = std::fabs(static_cast<double>(logprob[t]) - static_cast<double>(part.lp_sample[t]));
      if (!(diff <= options_.max_logprob_diff))
        throw Error(TENON_E_INVALID, "token " + std::to_string(t - part.ids.offsets[i] - part.prompt_len[i]) +
                                         " of the completion of sample " + std::to_string(part.sample_id[i]) +
                                         " has log-probability " + std::to_string(logprob[t]) +
                                         " in training and " + std::to_string(part.lp_sample[t]) +
                                         " in sampling; they may differ by max_logprob_diff = " +
                                         std::to_string(options_.max_logprob_diff) +
                                         ": find out why the two passes differ (precision, kernels, weights "
                                         "that were not updated), or raise the bound");
      stats.logprob_diff = std::max(stats.logprob_diff.value_or(0), diff);
    }
}

}  // namespace tenon::rl
