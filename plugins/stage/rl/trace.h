// The trace of a step: every number that its updates were made of, for `tenon explain` and for whoever opens it with a safetensors reader.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options.h"

namespace tenon::rl {

// One file a step, artifacts/trace/<step, six digits>.safetensors. For n sequences of T tokens in all (prompts and completions):
//   offsets U64 [n + 1]; prompt_len, group_id, sample_id U64 [n]; finish I32 [n]; reward F64 [n] as algorithms see it; terms F64 [rewards, n], each
//   reward before its weight (NaN: not OK); valid, trained U8 [n], counts in baselines, in the loss; ids I32, mask U8, version U64 [T]
//   lp_sample, lp_old, lp_ref?, value_old? F32 [T]; token_reward?, advantage, importance?, value_target? F64 [T]; kl_scale F64 [1]
// and for each optimizer update u, over the sequences update/<u>/rows U64 [m] that had a part in it and their tokens, one after the other:
//   update/<u>/lp_new, entropy?, value?, d_logprob, d_entropy?, d_value? F32; weight F64
// Metadata: format "tenon-trace/1", step, updates, rewards (names) and weights (JSON lists).
class Trace {
 public:
  // Of this step, if the options ask for one and it is not too large, which the log then says. Steps that only warm up a critic have none.
  static std::optional<Trace> of_step(const Host& host, const Options& options, const StageIo& io,
                                      const tenon_call* call, const stages::Sampled& batch,
                                      const Rollout& trained, std::span<const double> importance);

  // An update begins with the sequences `rows` of the rollout, in this order; then come their micro-batches.
  void begin_update(std::vector<uint64_t> rows);
  void add(const Rollout& part, const Algorithm::Columns& columns);
  void write(const Host& host) const;

 private:
  struct Update {
    std::vector<uint64_t> rows;
    std::vector<float> lp_new, entropy, value, d_logprob, d_entropy, d_value;
    std::vector<double> weight;
  };
  Trace() = default;

  std::string folder_;
  uint64_t step_ = 0;
  Rollout rollout_;
  std::vector<uint8_t> trained_;
  std::vector<double> terms_, importance_;
  std::vector<Update> updates_;
};

}  // namespace tenon::rl
