// The published variants of `grpo`, with their papers' values. README.md says where each value stands.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/options.hpp"

namespace tenon::grpo {

inline constexpr Presets kPresets{
    preset("deepseekmath",
           "DeepSeekMath, arXiv 2402.03300, eq. 3 and section 4.2. 16 prompts are its batch of 1,024 over 64 "
           "outputs; the paper prints no clip bound: 0.2 is the default here.",
           R"({"aggregation": "sequence-mean", "beta": 0.04, "kl": "k3"})",
           R"({"prompts": 16, "group_size": 64, "mini_batches": 1, "epochs": 1, "max_new_tokens": 1024})"),
    preset(
        "r1",
        "DeepSeek-R1, arXiv 2501.12948v2, section 3.2.1. 512 prompts are its rollout of 8,192 outputs over "
        "16. The ratio is each token's; the paper prints the completion's: ratio: sequence.",
        R"({"aggregation": "sequence-mean", "clip_low": 10, "clip_high": 10, "beta": 0.001, "kl": "k3"})",
        R"({"prompts": 512, "group_size": 16, "mini_batches": 16, "epochs": 1, "temperature": 1, "max_new_tokens": 32768,
               "reference_interval": 400, "reference_mix": 1})"),
    preset("dr-grpo",
           "Dr. GRPO, arXiv 2503.20783: no deviation, no length of a completion in the loss. 8 completions "
           "of at most 3,000 tokens are from its repository (sail-sg/understand-r1-zero), not the paper.",
           R"({"std": "none", "aggregation": "constant-length", "length": 3000})",
           R"({"group_size": 8, "max_new_tokens": 3000})"),
    preset("dapo",
           "DAPO, arXiv 2503.14476, section 4.1. Its soft punishment of length is the reward `length`. The "
           "paper refills without end; 10 rounds are this preset's.",
           R"({"clip_low": 0.2, "clip_high": 0.28, "aggregation": "token-mean"})",
           R"({"prompts": 512, "group_size": 16, "mini_batches": 16, "epochs": 1, "refills": 10,
               "refill_by": "accuracy", "overlong": "mask", "max_new_tokens": 20480})"),
    preset(
        "gspo", "GSPO, arXiv 2507.18071, eq. 5 to 7 and section 5.1.",
        R"({"ratio": "geometric-mean", "clip_low": 3e-4, "clip_high": 4e-4, "aggregation": "sequence-mean"})",
        R"({"mini_batches": 4})"),
    preset(
        "gspo-token", "GSPO-token, arXiv 2507.18071, eq. 13 and 14.",
        R"({"ratio": "geometric-mean-token", "clip_low": 3e-4, "clip_high": 4e-4, "aggregation": "sequence-mean"})",
        R"({"mini_batches": 4})"),
    preset("cispo",
           "CISPO, MiniMax-M1, arXiv 2506.13585, eq. 4 and 5, which has no lower bound (10 never binds) and "
           "does not print the upper one: 5 = 1 + 4 is ScaleRL's (arXiv 2510.13786).",
           R"({"objective": "cispo", "clip_low": 10, "clip_high": 4, "aggregation": "token-mean"})"),
    preset(
        "gmpo", "GMPO, arXiv 2507.20673, eq. 4: the bounds are of the logarithm.",
        R"({"objective": "gmpo", "ratio": "geometric-mean", "clip_low": 0.4, "clip_high": 0.4, "aggregation": "sequence-mean"})")};

}  // namespace tenon::grpo
