// The stage `rl`: reinforcement learning with verifiable rewards, for any algorithm.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "kl_controller.h"
#include "normalize.h"
#include "options.h"
#include "stage_support/domains.h"
#include "stage_support/held_out.h"
#include "stage_support/step.h"
#include "trace.h"

namespace tenon::rl {

// Numbers of every completion that was sampled in a step, those that dynamic sampling threw away included.
struct Drawn {
  std::vector<double> rewards;     // of valid ones
  std::vector<double> accuracy;    // the first reward, where it is OK
  std::vector<double> lengths;     // tokens
  std::vector<double> terminated;  // tokens of those that ended by themselves
  double surprise = 0;             // Σ −lp_sample over their tokens
  uint64_t prompts = 0, rounds = 0,
           thrown_away = 0;  // prompts sampled; refill rounds; groups thrown away by them
  bool none_kept = false;    // no group was worth keeping after the last round
  stages::DomainMeans reward_by_domain, accuracy_by_domain;  // as `rewards` and `accuracy`
  void add(const stages::Sampled& batch, const std::string& domain);
};

// What the updates of one rollout add up to.
struct UpdateStats {
  Algorithm::Metrics metrics;  // the algorithm's
  double loss = 0;             // Σ over the updates; recorded is the mean
  uint64_t updates = 0, skipped = 0, critic_updates = 0;
  double grad_norm = 0, critic_grad_norm = 0;          // Σ
  double learning_rate = 0, critic_learning_rate = 0;  // of the last
  std::optional<double> kl;  // mean of lp_old − lp_ref over the scored tokens of valid sequences
  ImportanceWeights importance;
  uint64_t dropped_groups = 0;  // for want of a second valid completion
  std::optional<double>
      logprob_diff;  // max |lp_sample − log p in training| over the mini-batches of the policy that sampled; none: nothing was scored
};

// One rollout is a step: sample, score, advantages, then `epochs` passes of `mini_batches` optimizer updates each.
class Rl {
 public:
  static constexpr uint32_t kStateVersion = 3;
  explicit Rl(Host host);
  static void check(Host host, Findings& findings);
  void run(const tenon_call* call, const StageIo& io);
  // Policy version, KL controller, age of the reference; everything else of the run is in the other components.
  void save(Writer& w) const;
  void load(Reader& r, uint32_t version);

 private:
  bool needs(uint32_t what) const { return (info_.needs & what) != 0; }
  uint64_t updates_in(uint64_t steps) const { return steps * options_.epochs * options_.mini_batches; }
  // The model whose value head is trained; null: the algorithm needs none. It may be the policy.
  const Model* critic() const { return !needs(TENON_NEEDS_VALUE) ? nullptr : critic_ ? &*critic_ : &model_; }

  void one_step(const tenon_call* now, const StageIo& io, uint64_t step);

  // setup.cpp
  void check_algorithm() const;
  void set_up_critic();
  void set_up_reference();

  // rollout.cpp
  stages::Sampled sample_and_score(const tenon_call* call, Drawn& drawn);
  stages::Sampled draw(const tenon_call* call, uint64_t prompts, Drawn& drawn);
  uint64_t drop_small_groups(Rollout& r) const;
  std::vector<std::vector<uint64_t>> mini_batches(const Rollout& r, uint64_t pass) const;

  // columns.cpp
  void complete_columns(const tenon_call* call, Rollout& r, UpdateStats& stats);
  void refresh_reference(const tenon_call* call);
  Rollout what_is_trained(const Rollout& r, const Drawn& drawn, UpdateStats& stats) const;
  bool has_signal(const Rollout& r, uint64_t i) const;

  // update.cpp
  void update(const tenon_call* call, Rollout batch, std::span<const uint64_t> rows, bool on_policy,
              UpdateStats& stats);
  Algorithm::Columns micro_batch(const tenon_call* call, Rollout& part, bool on_policy,
                                 UpdateStats& stats) const;
  void compare_logprobs(const Rollout& part, std::span<const float> logprob, UpdateStats& stats) const;
  bool trains_policy(const tenon_call* call) const { return call->step >= options_.critic_warmup; }

  // report.cpp
  void report(const stages::Sampled& batch, const Rollout& trained, const Drawn& drawn,
              const UpdateStats& stats, double seconds) const;
  void report_updates(const UpdateStats& stats) const;
  void tell_curriculum(const tenon_call* call, const stages::Sampled& batch) const;
  void warn_of_skipped(const Rollout& rollout, const UpdateStats& stats, uint64_t steps_done);
  void warn_of_missing_token_rewards(const Rollout& rollout);

  Host host_;
  Options options_;
  Model model_;
  Tokenizer tokenizer_;
  Dataset data_;
  Algorithm algorithm_;
  Optimizer optimizer_;
  stages::CompletionSampler sampler_;
  tenon_algorithm_info info_;
  std::optional<Model> reference_, critic_;  // critic_: a model of its own
  std::optional<Optimizer> critic_optimizer_;
  std::optional<KlController> controller_;
  std::optional<stages::HeldOut> held_out_;
  std::vector<SumTerm> sum_terms_;  // one a reward
  uint64_t version_ = 0;            // of the policy: its optimizer updates so far
  uint64_t critic_version_ = 0;
  uint64_t refreshed_ = 0;           // multiples of reference_interval that the reference has seen
  uint64_t made_ = 0, skipped_ = 0;  // updates of this process
  bool warned_ = false, warned_of_token_rewards_ = false;
  std::optional<Trace> trace_;  // of this step, if it is traced
};

// Throws Error that names sample, token and column for the first number of `column` (of the scored tokens of valid sequences) that is not finite.
// whose: "the policy", "algorithm grpo".
void check_finite(const Rollout& r, std::span<const float> column, const char* name,
                  const std::string& whose);
void check_finite(const Rollout& r, std::span<const double> column, const char* name,
                  const std::string& whose);

}  // namespace tenon::rl
