// The options of the stage `rl`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "importance.h"
#include "stage_support/domains.h"
#include "stage_support/held_out.h"
#include "stage_support/sampled.h"

namespace tenon::rl {

inline constexpr const char* kOverlong[] = {"keep", "mask", nullptr};
inline constexpr const char* kRefillBy[] = {"reward", "accuracy", nullptr};
inline constexpr const char* kNormalizations[] = {"none", "group", nullptr};
inline constexpr const char* kImportance[] = {
    "none",          "token-truncate",     "token-mask",     "sequence-truncate",
    "sequence-mask", "geometric-truncate", "geometric-mask", nullptr};

inline constexpr OptionTable kOptions{
    reference("model", "model", nullptr, "The policy; `from` fills it in.", {.flags = TENON_O_REQUIRED}),
    reference("data", "dataset", nullptr, "Prompts, and in their meta what the rewards ask for.",
              {.flags = TENON_O_REQUIRED}),
    reference("algorithm", "algorithm", "\"algorithm\"",
              "Turns rewards into advantages, and advantages into gradients."),
    reference("optimizer", "optimizer", nullptr, "Owns learning rate, schedule and clipping.",
              {.flags = TENON_O_REQUIRED}),
    stages::kRewardsOption,
    stages::kSamplerOption,
    integer("steps", nullptr, "Rollouts, each with its updates.",
            {.min = "1", .max = "1000000000", .unit = "steps", .flags = TENON_O_REQUIRED}),
    integer("prompts", "16", "Prompts of one rollout.", {.min = "1", .max = "1000000", .unit = "prompts"}),
    integer("group_size", "16", "Completions of each prompt.",
            {.min = "1", .max = "65536", .unit = "completions"}),
    integer("mini_batches", "1",
            "Optimizer updates of one pass over a rollout; its sequences are split at random among them. It "
            "divides prompts * group_size.",
            {.min = "1", .max = "65536"}),
    integer("epochs", "1", "Passes over a rollout.", {.min = "1", .max = "1000"}),
    integer("micro_batch_tokens", "4096",
            "Most tokens in one forward and backward pass; bounds memory. A group, whose prompt is computed "
            "once, stays "
            "whole if it fits; then this changes no number, and otherwise no more than their rounding.",
            {.min = "1", .max = "16777216", .unit = "tokens", .flags = TENON_O_ADVANCED}),
    number("temperature", "1",
           "Of sampling; log-probabilities in training are taken at the same temperature.",
           {.min = "0.01", .max = "100"}),
    stages::kTopKOption,
    stages::kTopPOption,
    stages::kMinPOption,
    boolean("allow_truncation", "false",
            "Permits top_k, top_p and min_p: completions are then drawn from another distribution than the "
            "one that is trained, which no log-probability shows.",
            {.flags = TENON_O_ADVANCED}),
    stages::kMaxNewTokensOption,
    stages::kOverlapRewardsOption,
    choice("overlong", kOverlong, "\"keep\"",
           "Completions cut at max_new_tokens: keep trains on them; mask leaves them out of the loss (DAPO, "
           "arXiv 2503.14476, 3.4), but not out of their group's baseline. A soft penalty is the reward "
           "`length`."),
    integer(
        "refills", "0",
        "Dynamic sampling (DAPO, 3.2): a group whose completions all earned the same teaches nothing and "
        "is thrown away, and as many new prompts are sampled, at most so many times a step; then the step "
        "goes on with the groups there are. 0: off.",
        {.min = "0", .max = "1000", .unit = "rounds"}),
    choice(
        "refill_by", kRefillBy, "\"reward\"",
        "What a group must differ in to be kept: reward: the sum of its rewards, as the algorithm sees it; "
        "accuracy: the first reward of the list alone, so that a group of right answers does not stay for "
        "their lengths (DAPO, eq. 11); where it applies to no completion of the group, the sum."),
    choice("reward_normalization", kNormalizations, "\"none\"",
           "group: each reward of the list is brought to mean 0 and deviation 1 within its group before the "
           "weighted sum (GDPO, arXiv 2601.05242)."),
    integer("reference_interval", "0",
            "The reference becomes the policy, or is mixed with it, at the first rollout after every so many "
            "updates (DeepSeek-R1: 400). 0: it stays the model that the stage began with.",
            {.min = "0", .max = "1000000000", .unit = "updates"}),
    number("reference_mix", "1",
           "α: the reference becomes α·policy + (1 − α)·reference (TR-DPO, arXiv 2404.09656). 1: the policy.",
           {.min = "1e-9", .max = "1"}),
    number(
        "kl_target", nullptr,
        "Adaptive KL controller (arXiv 1909.08593, 2.2): the algorithm's weight of the divergence rises and "
        "falls so that the mean divergence of a token from the reference stays near this. Absent: it is "
        "fixed.",
        {.min = "1e-12", .unit = "nats"}),
    number("kl_horizon", "10000", "How slowly the controller moves.", {.min = "1", .unit = "completions"}),
    reference("critic", "model", nullptr,
              "A model with a value head, of an algorithm that needs values (ppo). Absent: the policy's own "
              "value head."),
    reference("critic_optimizer", "optimizer", nullptr, "Of `critic`."),
    integer("critic_warmup", "0", "First steps that train the critic and leave the policy as it is.",
            {.min = "0", .max = "1000000000", .unit = "steps"}),
    choice(
        "importance", kImportance, "\"none\"",
        "Corrects for a sampler that is not exactly the policy: the policy's loss is multiplied by the "
        "ratio of their probabilities, per token, completion, or geometric mean, cut at importance_max "
        "(truncate) or 0 outside of the bounds (mask). With the sampler and the trainer of a CPU the ratio "
        "is 1."),
    number("importance_max", "2", "Upper bound of the ratio.", {.min = "1"}),
    number("importance_min", "0", "Lower bound of the ratio, of the masks.", {.min = "0", .max = "1"}),
    number("max_logprob_diff", "0",
           "The run stops if a log-probability in training differs by more than this from the sampler's. 0: "
           "they must be equal, as they are on a CPU.",
           {.min = "0", .unit = "nats"}),
    integer("samples_per_step", "4", "Completions of a step written to samples.jsonl; 0: none.",
            {.min = "0", .max = "65536", .unit = "completions"}),
    stages::kDomainOption,
    stages::kHeldOutOption,
    integer("trace_interval", "10",
            "Every so many steps, and at the last, all numbers of a rollout and its updates are written to "
            "artifacts/trace/<step>.safetensors, for `tenon explain`. 0: never.",
            {.min = "0", .max = "1000000000", .unit = "steps", .flags = TENON_O_ADVANCED}),
    option(TENON_T_BYTES, "trace_limit", "\"64MiB\"", "A rollout whose trace would be larger is not traced.",
           {.min = "0", .unit = "bytes", .flags = TENON_O_ADVANCED})};

// Of one rollout: prompts * group_size.
inline constexpr int64_t kMostSequences = 1 << 20;

struct Options {
  explicit Options(const Host& host);
  uint64_t steps, prompts, group_size, mini_batches, epochs, micro_batch_tokens, samples_per_step, refills,
      reference_interval, critic_warmup, trace_interval, trace_limit;
  bool refill_by_accuracy, mask_overlong, normalize_rewards;
  double max_logprob_diff, reference_mix, kl_horizon;
  std::optional<double> kl_target;
  std::string domain;  // empty: none
  Importance importance;
};

}  // namespace tenon::rl
