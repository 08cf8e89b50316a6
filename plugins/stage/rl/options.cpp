// The options of the stage `rl` and the rules between them.
// SPDX-License-Identifier: Apache-2.0
#include "rl.h"

namespace tenon::rl {
namespace {

uint64_t count(const Host& host, const char* option) {
  return static_cast<uint64_t>(host.i64(option));
}

void check_truncation(const Host& host, Findings& findings) {
  const bool allowed = host.boolean("allow_truncation");
  bool any = false;
  for (const char* filter : {"top_k", "top_p", "min_p"}) {
    const bool is_set = host.f64(filter) != 0;
    any = any || is_set;
    if (is_set && !allowed)
      findings.error(filter, std::string(filter) +
                                 " makes the sampler draw from another distribution than the one that is "
                                 "trained: leave it out, or set allow_truncation: true");
  }
  if (!any) findings.no_effect("allow_truncation", "none of top_k, top_p and min_p is set");
}

void check_sizes(const Host& host, Findings& findings) {
  const int64_t sequences = host.i64("prompts") * host.i64("group_size"),
                mini_batches = host.i64("mini_batches");
  const std::string product = "prompts * group_size = " + std::to_string(sequences);
  if (sequences > kMostSequences)
    findings.error("prompts", product + " sequences in one rollout; at most " +
                                  std::to_string(kMostSequences) + " are allowed");
  else if (sequences % mini_batches != 0)
    findings.error("mini_batches", std::to_string(mini_batches) +
                                       " mini-batches do not divide a rollout of " + product +
                                       " sequences: give a divisor of it");
}

void check_importance(const Host& host, Findings& findings) {
  const Importance how = read_importance(host.str("importance"));
  const char* const off = "importance: none corrects nothing";
  if (how.level == ImportanceLevel::kNone) findings.no_effect("importance_max", off);
  if (!how.mask)
    findings.no_effect("importance_min", how.level == ImportanceLevel::kNone
                                             ? off
                                             : "only the masks of `importance` have a lower bound");
}

}  // namespace

Options::Options(const Host& host)
    : steps(count(host, "steps")),
      prompts(count(host, "prompts")),
      group_size(count(host, "group_size")),
      mini_batches(count(host, "mini_batches")),
      epochs(count(host, "epochs")),
      micro_batch_tokens(count(host, "micro_batch_tokens")),
      samples_per_step(count(host, "samples_per_step")),
      refills(count(host, "refills")),
      reference_interval(count(host, "reference_interval")),
      critic_warmup(count(host, "critic_warmup")),
      trace_interval(count(host, "trace_interval")),
      trace_limit(count(host, "trace_limit")),
      refill_by_accuracy(host.str("refill_by") == "accuracy"),
      mask_overlong(host.str("overlong") == "mask"),
      normalize_rewards(host.str("reward_normalization") == "group"),
      max_logprob_diff(host.f64("max_logprob_diff")),
      reference_mix(host.f64("reference_mix")),
      kl_horizon(host.f64("kl_horizon")),
      kl_target(host.f64_if("kl_target")),
      domain(host.str_if("domain").value_or("")),
      importance(read_importance(host.str("importance"))) {
  importance.min = host.f64("importance_min"), importance.max = host.f64("importance_max");
  host.boolean("allow_truncation");  // a matter of `check` alone
}

void Rl::check(Host host, Findings& findings) {
  check_truncation(host, findings);
  check_sizes(host, findings);
  check_importance(host, findings);
  stages::HeldOut::check(host, findings);
  if (host.i64("reference_interval") == 0)
    findings.no_effect("reference_mix", "with reference_interval: 0 the reference does not change");
  const int64_t sequences = host.i64("prompts") * host.i64("group_size");
  if (!host.f64_if("kl_target"))
    findings.no_effect("kl_horizon", "without kl_target there is no controller");
  else if (host.f64("kl_horizon") < static_cast<double>(sequences))
    findings.error("kl_horizon",
                   "is shorter than one rollout of prompts * group_size = " + std::to_string(sequences) +
                       " completions: the controller would overshoot; give at least that, 10000 is usual");
  if (host.i64("refills") == 0) findings.no_effect("refill_by", "with refills: 0 all groups are kept");
  if (host.i64("trace_interval") == 0)
    findings.no_effect("trace_limit", "with trace_interval: 0 nothing is traced");
  if (host.i64("group_size") == 1) {
    const char* const alone = "group_size is 1: a group of one has nothing to differ from";
    if (host.i64("refills") > 0) findings.error("refills", alone);
    if (host.str("reward_normalization") == "group") findings.error("reward_normalization", alone);
  }
  if (host.i64("critic_warmup") >= host.i64("steps"))
    findings.error("critic_warmup", "the policy would never be trained: give less than steps = " +
                                        std::to_string(host.i64("steps")));
}

}  // namespace tenon::rl
