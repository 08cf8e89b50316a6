// Rewards: one function from a sample to a number, or from all samples of a call to their outcomes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "tenon/json.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

// What a reward sees of one sample.
struct Sample {
  uint64_t id, group;
  std::string_view prompt, completion;  // UTF-8, special tokens left out; a character that the token limit cut is U+FFFD
  std::string_view meta_json;           // what the data set says of the row, one JSON object
  std::span<const int32_t> tokens;      // of the completion, as sampled; may be empty
  int32_t finish;                       // TENON_FINISH_…; 0 = unknown

  // A field of meta_json as text; nothing if it is absent.
  std::optional<std::string> meta(std::string_view key) const { return json::text_field(meta_json, key); }
  // Records a further number of this sample under `key`.
  void note(const char* key, double value) const {
    if (out->note != nullptr) out->note(out->ctx, index, key, value);
  }

  // Says in a few words why the sample got its reward. Of a sample that gets none, NoReward carries the reason.
  void reason(std::string_view why) const {
    if (out->reason != nullptr) out->reason(out->ctx, index, why.data(), why.size());
  }

  // The sample is being judged from now on (true), or no longer (false): what lets the host name the one that takes long. RewardShim says it of each sample,
  // BatchRewardShim only when it is over; a reward that judges a call at once may say itself when it begins, from any thread.
  void judging(bool begins) const {
    if (TENON_FN(out, tenon_reward_out, judging)) out->judging(out->ctx, index, begins ? 1 : 0);
  }

  // Token k of the completion earns `value`, on top of the sample's reward: a process reward. k < tokens.size(). Each token at most once. False: whoever
  // scores does not take them.
  bool token_reward(uint64_t k, double value) const {
    if (token_out.empty()) return false;
    token_out[k] = value;
    return true;
  }

  uint64_t index;
  const tenon_reward_out* out;
  std::span<double> token_out;  // this sample's part of tenon_reward_out.token_reward; empty: there is none
  const tenon_call* call;  // for Host::throw_if_cancelled in long work: past the deadline it throws, and the sample is timed out
};

// Thrown by a reward: the sample has no number, and why.
struct NoReward {
  int32_t status;  // TENON_R_…, not OK
  std::string why;
};
[[noreturn]] inline void not_applicable(std::string why) { throw NoReward{TENON_R_NOT_APPLICABLE, std::move(why)}; }
[[noreturn]] inline void refuse(std::string why) { throw NoReward{TENON_R_REFUSED, std::move(why)}; }

// What became of a sample: a reward, or its status and why.
struct RewardOutcome {
  int32_t status = TENON_R_CRASHED;  // TENON_R_…
  double reward = 0;                 // where status is OK
  std::string why;                   // may be empty of a sample that is OK
};

// What `judge` returns, a RewardOutcome, or what it throws as one: NoReward with its status and reason, an Error of a deadline or a cancellation as timed out,
// everything else as crashed.
template <class Judge>
RewardOutcome outcome_or_why(Judge&& judge) {
  try {
    return judge();
  } catch (const NoReward& e) {
    return {e.status, 0, e.why};
  } catch (const Error& e) {
    const bool is_late = e.code() == TENON_E_TIMEOUT || e.code() == TENON_E_CANCELLED;
    return {is_late ? TENON_R_TIMED_OUT : TENON_R_CRASHED, 0, e.what()};
  } catch (const std::exception& e) {
    return {TENON_R_CRASHED, 0, e.what()};
  } catch (...) {
    return {TENON_R_CRASHED, 0, "an exception of unknown type"};
  }
}

// Whether the time of the call is up (run.reward_timeout).
inline bool is_past_deadline(const tenon_call* call) {
  if (call == nullptr || call->deadline_ns == 0) return false;
  return std::chrono::steady_clock::now().time_since_epoch() >= std::chrono::nanoseconds(call->deadline_ns);
}

namespace detail {

inline Sample sample_of(const tenon_call* call, const tenon_reward_in& in, const tenon_reward_out& out, uint64_t i) {
  const bool has_tokens = in.tokens.n > i;
  const bool takes_token_rewards = has_tokens && TENON_HAS(&out, tenon_reward_out, token_reward) && out.token_reward != nullptr;
  return {in.sample_id[i],
          in.group_id[i],
          text_row(in.prompt, i),
          text_row(in.completion, i),
          text_row(in.meta_json, i),
          has_tokens ? row<int32_t>(in.tokens, i) : std::span<const int32_t>(),
          in.finish != nullptr ? in.finish[i] : 0,
          i,
          &out,
          takes_token_rewards ? std::span<double>(out.token_reward + in.tokens.offsets[i], in.tokens.offsets[i + 1] - in.tokens.offsets[i])
                              : std::span<double>(),
          call};
}

inline void put(const RewardOutcome& outcome, const Sample& sample) {
  const auto set = [&](int32_t status, double reward, std::string_view why) {
    sample.out->reward[sample.index] = reward;
    sample.out->status[sample.index] = status;
    if (!why.empty()) sample.reason(why);
  };
  if (outcome.status != TENON_R_OK) return set(outcome.status, 0, outcome.why);
  if (!std::isfinite(outcome.reward)) return set(TENON_R_CRASHED, 0, "the reward is not a finite number");
  for (double token : sample.token_out)
    if (std::isinf(token)) return set(TENON_R_CRASHED, 0, "the reward of a token is not a finite number");
  set(TENON_R_OK, outcome.reward, outcome.why);
}

}  // namespace detail

// T: constructor T(Host), `double operator()(const Sample&)`. What one sample throws concerns that sample alone. Samples whose turn has not come when the
// call's deadline passes are timed out.
template <class T>
struct RewardShim {
  static constexpr const char* kKind = "reward";
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < in->n; ++i) {
        const Sample sample = detail::sample_of(call, *in, *out, i);
        sample.judging(true);
        detail::put(outcome_or_why([&]() -> RewardOutcome {
                      if (is_past_deadline(call)) return {TENON_R_TIMED_OUT, 0, "the deadline (run.reward_timeout) passed before its turn"};
                      return {TENON_R_OK, (*static_cast<T*>(self))(sample), {}};
                    }),
                    sample);
        sample.judging(false);
      }
    });
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

// For rewards that judge all samples of a call together: a server that is asked for many at a time, a model that reads a batch.
// T: constructor T(Host), `std::vector<RewardOutcome> operator()(const std::vector<Sample>&, const tenon_call*)`, one outcome a sample, in their order. What it
// throws concerns all samples of the call; another number of outcomes is a crash of all.
template <class T>
struct BatchRewardShim {
  static constexpr const char* kKind = "reward";
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out, tenon_error* err) {
    return guard(err, [&] {
      std::vector<Sample> samples;
      for (uint64_t i = 0; i < in->n; ++i) samples.push_back(detail::sample_of(call, *in, *out, i));
      std::vector<RewardOutcome> outcomes;
      const RewardOutcome whole = outcome_or_why([&]() -> RewardOutcome {
        outcomes = (*static_cast<T*>(self))(static_cast<const std::vector<Sample>&>(samples), call);
        if (outcomes.size() == samples.size()) return {TENON_R_OK, 0, {}};
        return {TENON_R_CRASHED, 0, std::to_string(outcomes.size()) + " outcomes for " + std::to_string(samples.size()) + " samples"};
      });
      for (uint64_t i = 0; i < in->n; ++i) {
        detail::put(whole.status == TENON_R_OK ? outcomes[i] : whole, samples[i]);
        samples[i].judging(false);
      }
    });
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

}  // namespace tenon

#define TENON_REWARD_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, RewardShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
#define TENON_BATCH_REWARD_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, BatchRewardShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
