// Rewards: one function from a sample to a number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cmath>
#include <optional>
#include <span>

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

// T: constructor T(Host), `double operator()(const Sample&)`. What one sample throws concerns that sample alone. Samples whose turn has not come when the
// call's deadline passes are timed out.
template <class T>
struct RewardShim {
  static constexpr const char* kKind = "reward";
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < in->n; ++i) one(*static_cast<T*>(self), call, *in, *out, i);
    });
  }
  static bool is_past_deadline(const tenon_call* call) {
    if (call == nullptr || call->deadline_ns == 0) return false;
    return std::chrono::steady_clock::now().time_since_epoch() >= std::chrono::nanoseconds(call->deadline_ns);
  }
  static void one(T& reward, const tenon_call* call, const tenon_reward_in& in, tenon_reward_out& out, uint64_t i) {
    auto fail = [&](int32_t status, std::string_view why) {
      out.reward[i] = 0;
      out.status[i] = status;
      if (out.reason != nullptr) out.reason(out.ctx, i, why.data(), why.size());
    };
    if (is_past_deadline(call)) return fail(TENON_R_TIMED_OUT, "the deadline (run.reward_timeout) passed before its turn");
    try {
      Sample sample{in.sample_id[i],
                    in.group_id[i],
                    text_row(in.prompt, i),
                    text_row(in.completion, i),
                    text_row(in.meta_json, i),
                    in.tokens.n > i ? row<int32_t>(in.tokens, i) : std::span<const int32_t>(),
                    in.finish != nullptr ? in.finish[i] : 0,
                    i,
                    &out,
                    in.tokens.n > i && TENON_HAS(&out, tenon_reward_out, token_reward) && out.token_reward != nullptr
                        ? std::span<double>(out.token_reward + in.tokens.offsets[i], in.tokens.offsets[i + 1] - in.tokens.offsets[i])
                        : std::span<double>(),
                    call};
      double value = reward(static_cast<const Sample&>(sample));
      if (!std::isfinite(value)) return fail(TENON_R_CRASHED, "the reward is not a finite number");
      for (double token : sample.token_out)
        if (std::isinf(token)) return fail(TENON_R_CRASHED, "the reward of a token is not a finite number");
      out.reward[i] = value;
      out.status[i] = TENON_R_OK;
    } catch (const NoReward& e) {
      fail(e.status, e.why);
    } catch (const Error& e) {
      const bool is_late = e.code() == TENON_E_TIMEOUT || e.code() == TENON_E_CANCELLED;
      fail(is_late ? TENON_R_TIMED_OUT : TENON_R_CRASHED, e.what());
    } catch (const std::exception& e) {
      fail(TENON_R_CRASHED, e.what());
    } catch (...) {
      fail(TENON_R_CRASHED, "an exception of unknown type");
    }
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

}  // namespace tenon

#define TENON_REWARD_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, RewardShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
