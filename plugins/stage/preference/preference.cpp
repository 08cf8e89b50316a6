// The stage `preference`: trains a policy on completions that a data set prefers to others, with the loss of an algorithm (dpo).
// SPDX-License-Identifier: Apache-2.0
//
// A row is a group of the algorithm: its completions are the samples, and the place from the end of the list is a sample's reward, so that a better one has the higher.
// Nothing is sampled: this is DPO as published (arXiv 2305.18290), where the stage `rl` with the same algorithm is DPO on the policy's own samples.
#include <atomic>
#include <cmath>
#include <mutex>
#include <set>

#include "stage_support/preferred.h"
#include "stage_support/row_check.h"
#include "stage_support/step.h"
#include "stage_support/supervised.h"
#include "stage_support/tape.h"
#include "stage_support/training_length.h"

namespace {

using tenon::Error;
using tenon::Rollout;
using tenon::Row;
using tenon::stages::HeldOutNumbers;
using tenon::stages::HeldOutRows;

// Two completions of a row are the same to the model: no loss can compare them.
class SameCompletions : public Error {
 public:
  SameCompletions() : Error(TENON_E_INVALID, "two of its completions are the same to the model") {}
};

// Rows that are left out. `note` and `note_other` may be called from several threads.
class LeftOut {
 public:
  void note(const Row& row) {
    const std::lock_guard lock(mutex_);
    if (rows_++ == 0 || row.index < first_.index) first_ = row;
  }
  void note_other() { ++others_; }
  // Throws where there are more than `allowed`, or nothing else; warns where there are any. option: whose rows they are.
  void check(const tenon::Host& host, const std::string& option, uint64_t allowed) const {
    if (rows_ == 0) return;
    const std::string which =
        option + ": rows with two completions that are the same to the model: " + std::to_string(rows_) +
        ", the first of them " + tenon::stages::place_of(first_);
    if (rows_ > allowed)
      throw Error(TENON_E_INVALID, which + "; max_skipped is " + std::to_string(allowed) +
                                       ". Nothing was trained: raise max_skipped to leave them out");
    if (others_ == 0) throw Error(TENON_E_INVALID, which + ". No other row is left");
    host.warn(which + ". They are left out (max_skipped: " + std::to_string(allowed) + ")");
  }

 private:
  std::mutex mutex_;
  uint64_t rows_ = 0;
  std::atomic<uint64_t> others_ = 0;
  Row first_;
};

class Preference {
 public:
  explicit Preference(tenon::Host host)
      : host_(host),
        model_(host.get_component<tenon::Model>("model")),
        tokenizer_(host.get_component<tenon::Tokenizer>("model.tokenizer")),
        data_(host.get_component<tenon::Dataset>("data")),
        algorithm_(host.get_component<tenon::Algorithm>("algorithm")),
        optimizer_(host.get_component<tenon::Optimizer>("optimizer")),
        info_(algorithm_.info()),
        rejected_(host.str("rejected")),
        ranked_(host.str("ranked")),
        batch_(static_cast<uint64_t>(host.i64("batch"))),
        micro_batch_tokens_(static_cast<uint64_t>(host.i64("micro_batch_tokens"))),
        max_len_(model_.info().max_len),
        max_skipped_(static_cast<uint64_t>(host.i64("max_skipped"))),
        length_(host, data_, optimizer_, batch_) {
    tenon::stages::require_next_token(model_);
    check_algorithm();
    if (needs(TENON_NEEDS_REFERENCE)) reference_ = host.get_component<tenon::Model>("reference");
    LeftOut of_data, of_held_out;
    tenon::stages::check_rows(host, "data", "model.tokenizer", UINT64_MAX,
                              [&](const Row& row) { try_row(row, of_data); });
    of_data.check(host, "data", max_skipped_);
    held_out_ = HeldOutRows::of(
        host, model_, HeldOutRows::By::kOption, [&](const Row& row) { try_row(row, of_held_out); },
        [this](const tenon_call* call, const tenon::Dataset& data, uint64_t n) {
          return judge(call, data, n);
        });
    of_held_out.check(host, "held_out.data", max_skipped_);
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    tenon::stages::TrainingLength::check(host, findings);
    HeldOutRows::check(host, findings);
  }

  void run(const tenon_call* call, const tenon::StageIo& io) {
    const uint64_t steps = length_.total_steps();
    io.begin(steps);
    io.bind("optimizer", "model", steps);
    tenon::stages::train(call, io, steps, held_out_, [&](const tenon_call* now, uint64_t s) {
      step(now, s + 1);
      return s + 1;
    });
  }

  void save(tenon::Writer& w) const {
    w.value(uint64_t{skipped_.size()});
    for (const uint64_t index : skipped_) w.value(index);
    if (held_out_) held_out_->save(w);
  }
  void load(tenon::Reader& r, uint32_t) {
    for (auto n = r.value<uint64_t>(); n > 0; --n) skipped_.insert(r.value<uint64_t>());
    if (held_out_) held_out_->load(r);
  }

 private:
  bool needs(uint32_t what) const { return (info_.needs & what) != 0; }

  // Without whole groups an algorithm judges each sample by itself, against the policy that sampled it: here none did.
  void check_algorithm() const {
    if (!needs(TENON_WHOLE_GROUPS))
      throw Error(TENON_E_INVALID,
                  "algorithm: its loss is of samples of the policy, and the completions of a data set are "
                  "none: take one that compares the completions of a prompt (dpo)");
    if (needs(TENON_NEEDS_VALUE | TENON_NEEDS_ENTROPY | TENON_NEEDS_TOKEN_REWARD))
      throw Error(
          TENON_E_INVALID,
          "algorithm: it asks for values, entropies or rewards of tokens, which preferences have not");
  }

  // The completions of a row, best first, as token ids. Throws Error with the reason why it cannot be used.
  std::vector<tenon::stages::PromptAndCompletion> sequences(const Row& row) const {
    const auto texts = tenon::stages::best_first(row, rejected_, ranked_);
    if (!texts)
      throw Error(TENON_E_INVALID, "it has neither field \"" + rejected_ +
                                       "\" (the worse completion) nor \"" + ranked_ +
                                       "\" (completions, best first)");
    std::vector<tenon::stages::PromptAndCompletion> out;
    Row one = row;
    for (const std::string& completion : *texts) {
      if (completion.empty()) throw Error(TENON_E_INVALID, "one of its completions is empty");
      one.completion = completion;
      out.push_back(tenon::stages::encode_row(one, tokenizer_));
      const uint64_t length = out.back().prompt.size() + out.back().completion.size();
      if (length > max_len_)
        throw Error(TENON_E_INVALID,
                    std::to_string(length) + " tokens, and the model's context is max_len = " +
                        std::to_string(max_len_) + ": leave such rows out, or raise the model's max_len");
      for (size_t k = 0; k + 1 < out.size(); ++k)
        if (out[k].completion == out.back().completion) throw SameCompletions();
    }
    return out;
  }

  void try_row(const Row& row, LeftOut& left_out) const {
    try {
      sequences(row);
      left_out.note_other();
    } catch (const SameCompletions&) {
      left_out.note(row);
    }
  }

  // The sequences of a row; none of one that is left out, which is added to `skipped`.
  std::vector<tenon::stages::PromptAndCompletion> texts_of(const Row& row,
                                                           std::set<uint64_t>& skipped) const {
    try {
      return sequences(row);
    } catch (const SameCompletions& e) {
      skipped.insert(row.index);
      if (skipped.size() <= max_skipped_) return {};
      throw Error(
          TENON_E_INVALID,
          std::string(e.what()) +
              (max_skipped_ == 0 ? ""
                                 : ", as are those of " + std::to_string(max_skipped_) + " rows before it") +
              ": raise max_skipped, which is " + std::to_string(max_skipped_) + ", to leave it out");
    }
  }

  // Without the rows that are left out; their indices are added to `skipped`.
  Rollout encode(const tenon_call* call, std::span<const Row> rows, std::set<uint64_t>& skipped) const {
    if (rows.empty()) throw Error(TENON_E_INVALID, "the data set gave no rows");
    Rollout batch;
    for (size_t g = 0; g < rows.size(); ++g) {
      const auto texts = tenon::stages::about_row(rows[g], [&] { return texts_of(rows[g], skipped); });
      for (size_t k = 0; k < texts.size(); ++k) {
        batch.push(texts[k].prompt, texts[k].completion, {}, g, batch.size(), TENON_FINISH_STOP);
        batch.reward.back() = static_cast<double>(texts.size() - 1 - k);
      }
    }
    if (batch.size() == 0) return batch;
    tenon::loss_weights(host_, info_, batch);
    tenon::Algorithm::Metrics
        unused;  // of groups that are always whole: what the algorithm tells of them is known
    algorithm_.advantages(call, batch, unused);
    return batch;
  }

  // Calls use(part, its columns, the policy's open tape) for parts of the batch of whole groups; returns the loss.
  template <class F>
  double for_parts(const tenon_call* call, const Rollout& batch, tenon::Algorithm::Metrics& metrics,
                   F&& use) const {
    double loss = 0;
    for (const auto& members : batch.micro_batches(micro_batch_tokens_, true)) {
      host_.throw_if_cancelled(call);
      Rollout part = batch.select(members);
      const tenon_tokens tokens = part.tokens_for_model(1);
      if (reference_) {
        part.lp_ref.assign(part.tokens(), 0);
        reference_->score(call, tokens, part.lp_ref.data(), nullptr, nullptr, nullptr);
      }
      part.lp_new.assign(part.tokens(), 0);
      tenon::stages::Tape policy(model_);
      policy.score(call, tokens, part.lp_new.data(), nullptr, nullptr);
      part.lp_old = part.lp_new;
      const tenon::Algorithm::Columns columns = algorithm_.gradient(call, part, metrics);
      loss += columns.loss;
      use(part, columns, policy);
    }
    if (!std::isfinite(loss))
      throw Error(TENON_E_INVALID,
                  "the loss is not finite: weights have run away. Go on from the last checkpoint with a "
                  "lower learning rate");
    return loss;
  }

  void step(const tenon_call* call, uint64_t version) {
    const tenon::stages::Stopwatch watch;
    tenon::Algorithm::Metrics metrics;
    Rollout batch = encode(call, data_.next(call, batch_), skipped_);
    while (batch.size() == 0) batch = encode(call, data_.next(call, batch_), skipped_);
    if (max_skipped_ > 0) host_.metric("skipped", static_cast<double>(skipped_.size()));
    {
      const tenon::Timed timed(host_, "update");
      model_.zero_grad(call);
      const double loss = for_parts(
          call, batch, metrics,
          [&](const Rollout&, const tenon::Algorithm::Columns& columns, tenon::stages::Tape& policy) {
            policy.backward(call, columns.d_logprob.data(), nullptr, nullptr);
          });
      const tenon_optimizer_stats stats = tenon::stages::optimizer_step(call, model_, optimizer_, version);
      host_.metric("loss", loss);
      host_.metric("grad_norm", stats.grad_norm);
      host_.metric("learning_rate", stats.learning_rate);
    }
    metrics.record(host_);
    host_.metric("tokens", static_cast<double>(batch.tokens()));
    host_.timing("tokens_per_second", static_cast<double>(batch.tokens()) / watch.seconds());
  }

  // Adds the pairs of the groups in `part`, whose completions stand best first: a pair is right where the policy has made the better one more likely than the
  // worse one, against the reference if there is one. A tie is wrong.
  static void count_pairs(const Rollout& part, double& right, double& pairs) {
    std::vector<double> ratio(part.size());
    for (uint64_t i = 0; i < part.size(); ++i)
      for (uint64_t t = part.ids.offsets[i]; t < part.ids.offsets[i + 1]; ++t)
        if (part.mask[t] != 0)
          ratio[i] += static_cast<double>(part.lp_new[t]) -
                      (part.lp_ref.empty() ? 0 : static_cast<double>(part.lp_ref[t]));
    for (uint64_t i = 0; i < part.size(); ++i)
      for (uint64_t k = i + 1; k < part.size() && part.group_id[k] == part.group_id[i]; ++k)
        right += ratio[i] > ratio[k] ? 1 : 0, ++pairs;
  }

  HeldOutNumbers judge(const tenon_call* call, const tenon::Dataset& data, uint64_t n) const {
    tenon::Algorithm::Metrics metrics;
    double loss = 0, samples = 0, right = 0, pairs = 0;
    std::set<uint64_t> skipped;
    for (uint64_t begin = 0; begin < n; begin += batch_) {
      const Rollout batch = encode(call, data.read(call, begin, std::min(batch_, n - begin)), skipped);
      if (batch.size() == 0) continue;
      loss += static_cast<double>(batch.size()) *
              for_parts(call, batch, metrics,
                        [&](const Rollout& part, const auto&...) { count_pairs(part, right, pairs); });
      samples += static_cast<double>(batch.size());
    }
    HeldOutNumbers out;
    out.measured("loss", loss / samples);
    out.measured("accuracy", right / pairs);
    for (const auto& [name, sum] : metrics.sums)
      if (sum.second != 0) out.measured(name, sum.first / sum.second);
    return out;
  }

  tenon::Host host_;
  tenon::Model model_;
  tenon::Tokenizer tokenizer_;
  tenon::Dataset data_;
  tenon::Algorithm algorithm_;
  tenon::Optimizer optimizer_;
  tenon_algorithm_info info_;
  std::optional<tenon::Model> reference_;
  std::string rejected_, ranked_;
  uint64_t batch_, micro_batch_tokens_, max_len_, max_skipped_;
  std::set<uint64_t> skipped_;  // rows that training has left out so far
  tenon::stages::TrainingLength length_;
  std::optional<HeldOutRows> held_out_;
};

}  // namespace

TENON_STAGE_PLUGIN(
    Preference, "preference", "0.3.0",
    "Trains a policy on completions that people prefer to others, with the loss of an algorithm (dpo).",
    tenon::stages::kModelOption, tenon::stages::kTrainDataOption,
    tenon::reference("algorithm", "algorithm", nullptr, "Makes a loss of preferences: dpo.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::stages::kOptimizerOption, tenon::stages::kEpochsOption, tenon::stages::kStepsOption,
    tenon::integer("batch", "32", "Rows per optimizer step.", {.min = "1", .max = "1048576", .unit = "rows"}),
    tenon::stages::kMicroBatchOption, tenon::stages::kRejectedOption, tenon::stages::kRankedOption,
    tenon::integer(
        "max_skipped", "0",
        "Most rows of a data set that are left out, as two of their completions are the same to the "
        "model; more are an error.",
        {.min = "0", .max = "1000000000", .unit = "rows"}),
    tenon::stages::kHeldOutByOption)
