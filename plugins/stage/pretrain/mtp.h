// Multi-token prediction: the losses of a model's modules beside its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "multi_token/multi_token.h"
#include "tenon/stage.hpp"

namespace tenon::pretrain {

// DeepSeek-V3 (arXiv 2412.19437, §2.2, eq. 24 and 25): to the loss comes λ / D · Σ_k L_k over the D modules, where L_k is the sum of module k's negative
// log-probabilities with the weights of the tokens in the main loss. Module k predicts k tokens less of each sequence, so it is not their mean.
class MultiToken {
 public:
  // Nothing where the option `mtp` is not given. Throws Error for a model without modules.
  static std::optional<MultiToken> of(const Host& host, const Model& model);
  static void check(const Host& host, Findings& findings);

  // tenon_model_vt.accumulate with the modules. d_logprob, logprob: [part.tokens()], of the main loss. Records the metrics of the step so far.
  void accumulate(const tenon_call* call, const Rollout& part, const float* d_logprob, float* logprob);

 private:
  MultiToken(const Host& host, const Model& model, const tenon_multi_token* table, uint64_t depth);
  double weight(uint64_t step) const { return step < later_from_ ? weight_ : later_weight_; }

  Host host_;
  Model model_;
  const tenon_multi_token* table_;
  uint64_t depth_, later_from_;
  double weight_, later_weight_;
  std::optional<uint64_t> step_;
  double loss_ = 0, tokens_ = 0;  // of step_: sums over modules and tokens
};

inline constexpr OptionTable kMtpChildren{
    number("weight", nullptr,
           "λ: what the mean of the modules' losses counts beside the main loss. DeepSeek-V3: 0.3.",
           {.min = "0", .max = "1000", .flags = TENON_O_REQUIRED}),
    number("later_weight", nullptr, "λ from step `later_from` on. DeepSeek-V3: 0.1. Absent: weight.",
           {.min = "0", .max = "1000"}),
    integer("later_from", nullptr,
            "The first step, counted from 0, with `later_weight`. DeepSeek-V3: after 68 % of its tokens.",
            {.min = "1", .max = "1000000000", .unit = "steps"})};
inline constexpr tenon_option kMtpOption = object(
    "mtp", kMtpChildren,
    "Multi-token prediction: trains the model's modules (`mtp_depth` of model transformer) too. Absent: "
    "the next token alone.");

}  // namespace tenon::pretrain
