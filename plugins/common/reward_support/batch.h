// For rewards that judge all samples of a call together: one server is asked for many at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/reward.hpp"

namespace tenon::reward_support {

// What became of a sample: a reward, or its status and why.
struct Outcome {
  int32_t status = TENON_R_CRASHED;  // TENON_R_…
  double reward = 0;
  std::string why;
};

// T: constructor T(Host), `std::vector<Outcome> operator()(const std::vector<Sample>&, const tenon_call*)`, one outcome a sample. What it throws concerns
// all samples of the call.
template <class T>
struct BatchRewardShim {
  static constexpr const char* kKind = "reward";

  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in* in, tenon_reward_out* out,
                       tenon_error* err) {
    return guard(err, [&] {
      const std::vector<Sample> samples = samples_of(*in, *out, call);
      std::vector<Outcome> outcomes;
      try {
        outcomes = (*static_cast<T*>(self))(samples, call);
      } catch (const std::exception& e) {
        outcomes.assign(samples.size(), {TENON_R_CRASHED, 0, e.what()});
      }
      outcomes.resize(samples.size());
      for (uint64_t i = 0; i < in->n; ++i) put(outcomes[i], *out, i);
    });
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};

 private:
  static std::vector<Sample> samples_of(const tenon_reward_in& in, const tenon_reward_out& out,
                                        const tenon_call* call) {
    std::vector<Sample> samples;
    for (uint64_t i = 0; i < in.n; ++i)
      samples.push_back({in.sample_id[i],
                         in.group_id[i],
                         text_row(in.prompt, i),
                         text_row(in.completion, i),
                         text_row(in.meta_json, i),
                         in.tokens.n > i ? row<int32_t>(in.tokens, i) : std::span<const int32_t>(),
                         in.finish != nullptr ? in.finish[i] : 0,
                         i,
                         &out,
                         {},
                         call});
    return samples;
  }
  static void put(Outcome& outcome, tenon_reward_out& out, uint64_t i) {
    if (outcome.status == TENON_R_OK && !std::isfinite(outcome.reward))
      outcome = {TENON_R_CRASHED, 0, "the reward is not a finite number"};
    out.reward[i] = outcome.status == TENON_R_OK ? outcome.reward : 0;
    out.status[i] = outcome.status;
    if (out.reason != nullptr && !outcome.why.empty())
      out.reason(out.ctx, i, outcome.why.data(), outcome.why.size());
  }
};

}  // namespace tenon::reward_support
