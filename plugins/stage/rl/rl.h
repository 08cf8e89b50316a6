// The stage `rl`: reinforcement learning with verifiable rewards, for any algorithm.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "options.h"
#include "stage_support/step.h"

namespace tenon::rl {

// What the updates of one rollout add up to.
struct UpdateStats {
  Algorithm::Metrics metrics;  // the algorithm's
  double loss = 0;             // Σ over the updates; recorded is the mean
  uint64_t updates = 0, skipped = 0;
  double grad_norm = 0;      // Σ
  double learning_rate = 0;  // of the last
  std::optional<double>
      logprob_diff;  // max |lp_sample − log p in training| over the mini-batches of the policy that sampled; none: nothing was scored
};

// One rollout is a step: sample, score, advantages, then `epochs` passes of `mini_batches` optimizer updates each.
class Rl {
 public:
  static constexpr uint32_t kStateVersion = 1;
  explicit Rl(Host host);
  static void check(Host host, Findings& findings);
  void run(const tenon_call* call, const StageIo& io);
  // The policy version; everything else of the run is in the other components.
  void save(Writer& w) const { w.value(version_); }
  void load(Reader& r, uint32_t) { version_ = r.value<uint64_t>(); }

 private:
  uint64_t total_updates() const { return options_.steps * options_.epochs * options_.mini_batches; }
  bool needs(uint32_t what) const { return (info_.needs & what) != 0; }

  // columns.cpp
  stages::Sampled sample_and_score(const tenon_call* call);
  void score_reference(const tenon_call* call, Rollout& r) const;
  std::vector<std::vector<uint64_t>> mini_batches(uint64_t n, uint64_t pass) const;
  bool has_signal(const Rollout& r, uint64_t i) const;

  // update.cpp
  void update(const tenon_call* call, Rollout batch, bool on_policy, UpdateStats& stats);
  std::vector<float> accumulate(const tenon_call* call, Rollout& part, UpdateStats& stats) const;
  std::vector<float> score_and_backward(const tenon_call* call, Rollout& part, UpdateStats& stats) const;
  void compare_logprobs(const Rollout& part, std::span<const float> logprob, UpdateStats& stats) const;

  // report.cpp
  void report(const stages::Sampled& batch, const UpdateStats& stats, double seconds) const;
  void warn_of_skipped(const Rollout& rollout, const UpdateStats& stats, uint64_t steps_done);

  Host host_;
  Options options_;
  Model model_;
  std::optional<Model> reference_;
  Tokenizer tokenizer_;
  Dataset data_;
  Algorithm algorithm_;
  Optimizer optimizer_;
  stages::CompletionSampler sampler_;
  tenon_algorithm_info info_;
  uint64_t version_ = 0;             // optimizer updates so far
  uint64_t made_ = 0, skipped_ = 0;  // updates of this process
  bool warned_ = false;
};

}  // namespace tenon::rl
