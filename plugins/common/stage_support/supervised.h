// Training on given text: rows to sequences, and one optimizer step on a batch of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "stage_support/domains.h"
#include "stage_support/held_out_rows.h"
#include "stage_support/row_text.h"

namespace tenon::stages {

enum class LossOn {
  kCompletion,  // of rows that have one; of the others the whole text
  kAll,         // every token but the first
  kAnswer       // as kCompletion; a row without one is an error
};

// Sequences of rows.
struct Encoded {
  Rollout rollout;
  std::vector<std::string> domains;  // of each sequence; empty without the option `domain`
};

// What a supervised stage is made of. Reads the options and slots model, data, optimizer, batch, micro_batch_tokens, domain and held_out, and tries the rows (row_check.h).
class Supervised {
 public:
  Supervised(const Host& host, LossOn loss_on);
  Supervised(const Supervised&) = delete;

  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const Dataset& data() const { return data_; }
  const Optimizer& optimizer() const { return optimizer_; }
  uint64_t batch() const { return batch_; }

  // For a stage's constructor: throws if the optimizer would refuse so many steps.
  void check_steps(uint64_t steps) const;

  // The sequences of step `step`.
  using Batch = std::function<Encoded(const tenon_call* call, uint64_t step)>;
  // Runs the steps [io.first_step(), steps): each takes what `batch` gives, or without it the next rows as `encode` reads them, and ends in step_end.
  void run(const tenon_call* call, const StageIo& io, uint64_t steps, const Batch& batch = {});
  // Rules between the options of evaluation, for a stage's `check`.
  static void check(const Host& host, Findings& findings) { HeldOutRows::check(host, findings); }
  // Of what `run` has seen, for a stage's own.
  void save(Writer& w) const;
  void load(Reader& r);

  // What a row is read as where it is not its text as it stands; nothing: as it stands.
  using Instead = std::function<std::optional<PromptAndCompletion>(const Row&)>;
  // The sequences of `rows`, mask set where the loss is. Throws Error naming the row that cannot be used.
  Encoded encode(std::span<const Row> rows, const Instead& instead = {}) const;
  // What a step does where it would call the model's `accumulate`, with that function's arguments.
  using Accumulate =
      std::function<void(const tenon_call* call, const Rollout& part, const float* d_logprob, float* logprob)>;
  // From now on; for a stage's constructor.
  void accumulate_by(Accumulate accumulate) { accumulate_ = std::move(accumulate); }
  // Gradient of the mean over all tokens with mask 1, one optimizer step; the parameters are then `version`. Records the metrics. The numbers do not
  // depend on micro_batch_tokens.
  void step(const tenon_call* call, Encoded encoded, uint64_t version) const;

 private:
  PromptAndCompletion sequence(const Row& row) const;
  HeldOutNumbers judge(const tenon_call* call, const Dataset& data, uint64_t n) const;

  Host host_;
  LossOn loss_on_;
  Model model_;
  Tokenizer tokenizer_;
  Dataset data_;
  Optimizer optimizer_;
  uint64_t batch_, micro_batch_tokens_, max_len_;
  std::string domain_;  // a field of the meta; empty: none
  Accumulate accumulate_;
  std::optional<HeldOutRows> held_out_;
};

// Options that pretrain and sft have in common.
inline constexpr tenon_option kModelOption =
    reference("model", "model", nullptr, "What is trained; `from` fills it in.", {.flags = TENON_O_REQUIRED});
inline constexpr tenon_option kTrainDataOption =
    reference("data", "dataset", nullptr, "Rows to train on, in the order of the run's cursor.",
              {.flags = TENON_O_REQUIRED});
inline constexpr tenon_option kOptimizerOption =
    reference("optimizer", "optimizer", nullptr, "Owns learning rate, schedule and clipping.",
              {.flags = TENON_O_REQUIRED});
inline constexpr tenon_option kBatchOption = integer("batch", "32", "Sequences per optimizer step.",
                                                     {.min = "1", .max = "1048576", .unit = "sequences"});
inline constexpr tenon_option kMicroBatchOption =
    integer("micro_batch_tokens", "4096",
            "Most tokens in one forward and backward pass; bounds memory and changes no number. A longer "
            "sequence goes alone.",
            {.min = "1", .max = "16777216", .unit = "tokens", .flags = TENON_O_ADVANCED});

}  // namespace tenon::stages
