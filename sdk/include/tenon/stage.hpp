// Stages: what a step of the pipeline does, by driving its components.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include "tenon/dataset.hpp"
#include "tenon/optimizer.hpp"
#include "tenon/reward.hpp"
#include "tenon/rollout.hpp"
#include "tenon/tokenizer.hpp"

namespace tenon {

// What the host offers to a running stage.
class StageIo {
 public:
  explicit StageIo(const tenon_stage_io* io) : io_(io) {}
  uint64_t first_step() const { return io_->first_step; }
  // The stage's output folder.
  std::string folder() const {
    if (!TENON_HAS(io_, tenon_stage_io, folder) || io_->folder == nullptr) throw Error(TENON_E_UNSUPPORTED, "the host gives stages no output folder");
    return io_->folder;
  }
  void begin(uint64_t total_steps) const { io_->begin(io_->ctx, total_steps); }
  // Throws TENON_E_CANCELLED when the run is to stop; let it through.
  void step_end(uint64_t step) const {
    ErrorBuffer err;
    err.check(io_->step_end(io_->ctx, step, err));
  }
  void bind(const char* optimizer_slot, const char* model_slot, uint64_t total_steps) const {
    ErrorBuffer err;
    err.check(io_->bind(io_->ctx, optimizer_slot, model_slot, total_steps, err));
  }
  void result(const std::string& model, const std::string& benchmark, const char* metric, double value) const {
    ErrorBuffer err;
    err.check(io_->result(io_->ctx, model.c_str(), benchmark.c_str(), metric, value, err));
  }

 private:
  const tenon_stage_io* io_;
};

// T: constructor T(Host), which reads every option and looks up every component; `void run(const tenon_call*, const StageIo&)`.
template <class T>
struct StageShim {
  static constexpr const char* kKind = "stage";
  static int32_t run(void* self, const tenon_call* call, const tenon_stage_io* io, tenon_error* err) {
    return guard(err, [&] { static_cast<T*>(self)->run(call, StageIo(io)); });
  }
  static constexpr tenon_stage_vt kTable{sizeof(tenon_stage_vt), 0, run};
};

// Adds the time until its destruction to the step's timing `name`.
class Timed {
 public:
  Timed(const Host& host, const char* name) : host_(host), name_(name), start_(std::chrono::steady_clock::now()) {}
  ~Timed() { host_.timing(name_, std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count()); }
  Timed(const Timed&) = delete;

 private:
  Host host_;
  const char* name_;
  std::chrono::steady_clock::time_point start_;
};

// The text that opens a row's completion: its prompt, or its messages rendered by the tokenizer's chat template.
inline std::string prompt_text(const Row& row, const Tokenizer& tokenizer) {
  return row.messages_json.empty() ? row.prompt : tokenizer.chat(row.messages_json);
}
inline std::vector<int32_t> prompt_ids(const Row& row, const Tokenizer& tokenizer) {
  return tokenizer.encode(prompt_text(row, tokenizer), TENON_ENCODE_SPECIAL | (row.messages_json.empty() ? TENON_ENCODE_BOS : 0));
}

// Weights of the loss of one optimizer step over the sequences of r (tenon_host.loss_weights).
inline void loss_weights(const Host& host, const tenon_algorithm_info& info, Rollout& r) {
  r.weight.assign(r.tokens(), 0.0);
  ErrorBuffer err;
  err.check(host.raw()->loss_weights(host.raw(), &info, r.size(), r.ids.offsets.data(), r.mask.data(), r.valid.data(), r.weight.data(), err));
}

// What score_rewards gives besides the rollout's columns; NaN where a reward is not OK.
struct RewardTerms {
  std::vector<double> first;                // [n] the first reward of the list alone
  std::vector<std::vector<double>> rewards;  // each reward of the list alone, before its weight: [n] each
};

// Scores every sequence with the rewards of `slot`: fills r.reward, r.valid and, if a reward gives any, r.token_reward. `prompts`, `completions` and `meta`
// are texts, one per sequence.
inline RewardTerms score_rewards(const Host& host, const char* slot, const tenon_call* call, Rollout& r, const Ragged<char>& prompts,
                                 const Ragged<char>& completions, const Ragged<char>& meta) {
  Ragged<int32_t> tokens;
  for (uint64_t i = 0; i < r.size(); ++i) tokens.push(r.ids[i].subspan(r.prompt_len[i]));
  tenon_reward_in in{sizeof in,         0, r.size(), r.sample_id.data(), r.group_id.data(), prompts.raw(), completions.raw(), meta.raw(), tokens.raw(),
                     r.finish.data()};
  RewardTerms terms{std::vector<double>(r.size()), {}};
  const double none = std::nan("");  // what a host that knows these columns not leaves
  std::vector<double> all(host.count(slot) * r.size(), none), earned(tokens.values.size(), none);
  r.reward.assign(r.size(), 0.0);
  r.valid.assign(r.size(), 0);
  tenon_scored out{sizeof out, 0, r.reward.data(), r.valid.data(), terms.first.data(), earned.data(), all.data()};
  ErrorBuffer err;
  err.check(host.raw()->score(host.raw(), slot, call, &in, &out, err));
  for (auto at = all.begin(); at != all.end(); at += static_cast<ptrdiff_t>(r.size())) terms.rewards.emplace_back(at, at + static_cast<ptrdiff_t>(r.size()));
  r.token_reward.clear();
  if (std::all_of(earned.begin(), earned.end(), [](double x) { return std::isnan(x); })) return terms;
  r.token_reward.assign(r.tokens(), std::nan(""));
  for (uint64_t i = 0; i < r.size(); ++i)
    std::copy(earned.begin() + static_cast<ptrdiff_t>(tokens.offsets[i]), earned.begin() + static_cast<ptrdiff_t>(tokens.offsets[i + 1]),
              r.token_reward.begin() + static_cast<ptrdiff_t>(r.ids.offsets[i] + r.prompt_len[i]));
  return terms;
}

// Where StageIo::folder will be, for a stage's constructor; nothing if the host does not tell.
inline std::optional<std::string> output_folder(const Host& host) {
  if (!TENON_FN(host.raw(), tenon_host, extension)) return std::nullopt;
  const auto* table = static_cast<const tenon_output_folder*>(host.raw()->extension(host.raw(), TENON_EXT_OUTPUT_FOLDER));
  if (!TENON_FN(table, tenon_output_folder, path)) return std::nullopt;
  return table->path(host.raw());
}

inline void sample_out(const Host& host, const std::string& json) {
  ErrorBuffer err;
  err.check(host.raw()->sample_out(host.raw(), json.data(), json.size(), err));
}
inline void row_out(const Host& host, const char* name, const Row& row) {
  tenon_row raw = row.raw();
  ErrorBuffer err;
  err.check(host.raw()->row_out(host.raw(), name, &raw, err));
}

}  // namespace tenon

#define TENON_STAGE_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, StageShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
