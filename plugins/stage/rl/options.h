// The options of the stage `rl`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stage_support/sampled.h"

namespace tenon::rl {

inline constexpr const char* kOverlong[] = {"keep", "mask", nullptr};

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
            "Optimizer updates of one pass over a rollout; its sequences are split at random among them.",
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
    choice("overlong", kOverlong, "\"keep\"",
           "Completions cut at max_new_tokens: keep trains on them; mask leaves them out of the loss (DAPO, "
           "arXiv 2503.14476, 3.4), but not out of their group's baseline."),
    number("max_logprob_diff", "0",
           "The run stops if a log-probability in training differs by more than this from the sampler's. 0: "
           "they must be equal, as they are on a CPU.",
           {.min = "0", .unit = "nats"}),
    integer("samples_per_step", "4", "Completions of a step written to samples.jsonl; 0: none.",
            {.min = "0", .max = "65536", .unit = "completions"})};

// Of one rollout: prompts * group_size.
inline constexpr int64_t kMostSequences = 1 << 20;

struct Options {
  explicit Options(const Host& host);
  uint64_t steps, prompts, group_size, mini_batches, epochs, micro_batch_tokens, samples_per_step;
  bool mask_overlong;
  double max_logprob_diff;
};

}  // namespace tenon::rl
