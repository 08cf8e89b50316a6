// One optimizer update on a mini-batch.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "rl.h"
#include "stage_support/tape.h"

namespace tenon::rl {
namespace {

const float* data_or_null(const std::vector<float>& column) {
  return column.empty() ? nullptr : column.data();
}

}  // namespace

// The weights are those of the whole mini-batch; then the sequences that have no part in the gradient are left out, which costs nothing and changes nothing.
void Rl::update(const tenon_call* call, Rollout batch, std::span<const uint64_t> rows, bool on_policy,
                UpdateStats& stats) {
  Timed timed(host_, "update");
  loss_weights(host_, info_, batch);
  std::vector<uint64_t> active, of_rollout;
  bool any = false;
  for (uint64_t i = 0; i < batch.size(); ++i)
    if (has_signal(batch, i))
      active.push_back(i), of_rollout.push_back(rows[i]), any = any || batch.valid[i] != 0;
  if (!any) {
    ++stats.skipped;
    return;
  }
  batch = batch.select(active);
  if (trace_) trace_->begin_update(of_rollout);

  model_.zero_grad(call);
  if (critic_) critic_->zero_grad(call);
  for (const auto& part_rows : batch.micro_batches(options_.micro_batch_tokens, needs(TENON_WHOLE_GROUPS))) {
    host_.throw_if_cancelled(call);
    Rollout part = batch.select(part_rows);
    const Algorithm::Columns columns = micro_batch(call, part, on_policy, stats);
    stats.loss += columns.loss;
    if (trace_) trace_->add(part, columns);
  }
  if (trains_policy(call)) {
    const tenon_optimizer_stats step = stages::optimizer_step(call, model_, optimizer_, ++version_);
    stats.grad_norm += step.grad_norm;
    stats.learning_rate = step.learning_rate;
    ++stats.updates;
  }
  if (critic_) {
    const tenon_optimizer_stats step =
        stages::optimizer_step(call, *critic_, *critic_optimizer_, ++critic_version_);
    stats.critic_grad_norm += step.grad_norm;
    stats.critic_learning_rate = step.learning_rate;
    ++stats.critic_updates;
  }
}

// Fills part's lp_new (and entropy and value, if needed), and adds the gradients of both models. Until a rollout's first update the policy is the one
// that sampled: then a batch-invariant model's log-probabilities are known, and so is the gradient, before its one visit to the model.
Algorithm::Columns Rl::micro_batch(const tenon_call* call, Rollout& part, bool on_policy,
                                   UpdateStats& stats) const {
  const bool own_values = needs(TENON_NEEDS_VALUE) && !critic_, trains = trains_policy(call);
  const bool is_known = on_policy && !needs(TENON_NEEDS_ENTROPY) && !own_values &&
                        (!trains || (model_.ref()->flags & TENON_C_BATCH_INVARIANT) != 0);
  stages::Tape policy(model_), critic(critic_ ? *critic_ : model_);
  part.lp_new = part.lp_old;
  if (needs(TENON_NEEDS_ENTROPY)) part.entropy.assign(part.tokens(), 0);
  if (needs(TENON_NEEDS_VALUE)) part.value.assign(part.tokens(), 0);
  if (!is_known) {
    policy.score(call, part.tokens_for_model(sampler_.temperature()), part.lp_new.data(),
                 part.entropy.empty() ? nullptr : part.entropy.data(),
                 own_values ? part.value.data() : nullptr);
    if (on_policy) compare_logprobs(part, part.lp_new, stats);
    check_finite(part, part.lp_new, "lp_new", "the policy");
  }
  if (critic_)
    critic.score(call, part.tokens_for_model(1, TENON_HEAD_VALUE), nullptr, nullptr, part.value.data());
  if (!part.entropy.empty()) check_finite(part, part.entropy, "entropy", "the policy");
  if (!part.value.empty()) check_finite(part, part.value, "value", "the critic");

  Algorithm::Columns columns = algorithm_.gradient(call, part, stats.metrics);
  check_finite(part, columns.d_logprob, "d_logprob", "the algorithm");
  if (!columns.d_entropy.empty()) check_finite(part, columns.d_entropy, "d_entropy", "the algorithm");
  if (!columns.d_value.empty()) check_finite(part, columns.d_value, "d_value", "the algorithm");

  if (policy.is_open() && trains) {
    policy.backward(call, columns.d_logprob.data(), data_or_null(columns.d_entropy),
                    own_values ? columns.d_value.data() : nullptr);
  } else if (trains) {
    std::vector<float> logprob(part.tokens());
    model_.accumulate(call, part.tokens_for_model(sampler_.temperature()), columns.d_logprob.data(),
                      logprob.data());
    compare_logprobs(part, logprob, stats);
  }
  if (critic_) critic.backward(call, nullptr, nullptr, columns.d_value.data());
  return columns;
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
