// The columns of a rollout that models fill in before its first update.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "reference.h"
#include "rl.h"

namespace tenon::rl {
namespace {

// f(part, logprob or value column of the part) in micro-batches; their results one after the other.
template <class F>
std::vector<float> in_micro_batches(const Host& host, const tenon_call* call, const Rollout& r,
                                    uint64_t tokens, F&& f) {
  std::vector<float> all;
  for (const auto& rows : r.micro_batches(tokens)) {
    host.throw_if_cancelled(call);
    const Rollout part = r.select(rows);
    std::vector<float> column(part.tokens());
    f(part, column.data());
    all.insert(all.end(), column.begin(), column.end());
  }
  return all;
}

// Mean of lp_old − lp_ref over the scored tokens of valid sequences; nothing without one.
std::optional<double> mean_kl(const Rollout& r) {
  double sum = 0, tokens = 0;
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (r.valid[i] != 0 && r.mask[t] != 0) sum += double{r.lp_old[t]} - double{r.lp_ref[t]}, tokens += 1;
  return tokens > 0 ? std::optional(sum / tokens) : std::nullopt;
}

template <class T>
void check_column(const Rollout& r, std::span<const T> column, const char* name, const std::string& whose) {
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (r.valid[i] != 0 && r.mask[t] != 0 && !std::isfinite(column[t]))
        throw Error(std::string(name) + " of token " +
                    std::to_string(t - r.ids.offsets[i] - r.prompt_len[i]) + " of the completion of sample " +
                    std::to_string(r.sample_id[i]) + " is " + std::to_string(column[t]) + ", from " + whose +
                    ": the update is not made. Weights or gradients have run away: go on from the last "
                    "checkpoint with a lower learning rate");
}

}  // namespace

void check_finite(const Rollout& r, std::span<const float> column, const char* name,
                  const std::string& whose) {
  check_column(r, column, name, whose);
}
void check_finite(const Rollout& r, std::span<const double> column, const char* name,
                  const std::string& whose) {
  check_column(r, column, name, whose);
}

// lp_old is of the trained policy. Its pass and the sampler's are one where sampler and trainer are (columns are then checked to be equal in the first
// mini-batch); with importance weights it is computed, because the difference is what they are made of.
void Rl::complete_columns(const tenon_call* call, Rollout& r, UpdateStats& stats) {
  refresh_reference(call);
  r.lp_old = r.lp_sample;
  if (options_.importance.level != ImportanceLevel::kNone) {
    Timed timed(host_, "old_logprob");
    r.lp_old =
        in_micro_batches(host_, call, r, options_.micro_batch_tokens, [&](const Rollout& part, float* out) {
          model_.score(call, part.tokens_for_model(sampler_.temperature()), out, nullptr, nullptr, nullptr);
        });
    check_finite(r, r.lp_old, "lp_old", "the policy");
  }
  if (reference_) {
    Timed timed(host_, "reference");
    r.lp_ref =
        in_micro_batches(host_, call, r, options_.micro_batch_tokens, [&](const Rollout& part, float* out) {
          reference_->score(call, part.tokens_for_model(sampler_.temperature()), out, nullptr, nullptr,
                            nullptr);
        });
    check_finite(r, r.lp_ref, "lp_ref", "the reference");
    stats.kl = mean_kl(r);
  }
  if (critic() != nullptr) {
    Timed timed(host_, "value");
    r.value_old =
        in_micro_batches(host_, call, r, options_.micro_batch_tokens, [&](const Rollout& part, float* out) {
          critic()->score(call, part.tokens_for_model(1, TENON_HEAD_VALUE), nullptr, nullptr, out, nullptr);
        });
    check_finite(r, r.value_old, "value_old", "the critic");
  }
  r.kl_scale = controller_ ? controller_->scale() : 1;
}

void Rl::refresh_reference(const tenon_call* call) {
  if (options_.reference_interval == 0 || version_ / options_.reference_interval <= refreshed_) return;
  refreshed_ = version_ / options_.reference_interval;
  mix_reference(host_, call, model_, *reference_, options_.reference_mix, version_);
  host_.info("the reference " +
             (options_.reference_mix == 1
                  ? std::string("is now the policy")
                  : "moved towards the policy by " + std::to_string(options_.reference_mix)) +
             ", after " + std::to_string(version_) + " updates");
}

// The rollout as the loss sees it: completions cut at max_new_tokens may be left out, though they counted in their group's baseline, and all are where
// dynamic sampling found nothing to keep; advantages carry the importance weights, which every loss that is proportional to its advantages is thereby
// multiplied by.
Rollout Rl::what_is_trained(const Rollout& r, const Drawn& drawn, UpdateStats& stats) const {
  Rollout trained = r;
  if (drawn.none_kept) std::fill(trained.valid.begin(), trained.valid.end(), uint8_t{0});
  if (options_.mask_overlong)
    for (uint64_t i = 0; i < trained.size(); ++i)
      if (trained.finish[i] == TENON_FINISH_LENGTH) trained.valid[i] = 0;
  if (options_.importance.level == ImportanceLevel::kNone) return trained;
  stats.importance = importance_weights(trained, options_.importance);
  for (uint64_t t = 0; t < trained.tokens(); ++t) trained.advantage[t] *= stats.importance.weight[t];
  const bool is_exact = options_.max_logprob_diff == 0;
  if (is_exact && stats.importance.count > 0 && (stats.importance.least != 1 || stats.importance.most != 1))
    throw Error(
        TENON_E_INVALID,
        "max_logprob_diff: 0 says that sampler and trainer are one, but importance weights are between " +
            std::to_string(stats.importance.least) + " and " + std::to_string(stats.importance.most) +
            ", not 1: find out why the two passes differ, or give the difference that is to be corrected");
  return trained;
}

// Whether sequence i has any part in the gradient.
bool Rl::has_signal(const Rollout& r, uint64_t i) const {
  if (r.valid[i] == 0) return needs(TENON_WHOLE_GROUPS);
  if (needs(TENON_NEEDS_REFERENCE | TENON_NEEDS_ENTROPY | TENON_NEEDS_VALUE | TENON_WHOLE_GROUPS))
    return true;
  for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
    if (r.mask[t] != 0 && r.advantage[t] != 0) return true;
  return false;
}

}  // namespace tenon::rl
