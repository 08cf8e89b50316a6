// A reward that is asked outside of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/lone_reward.h"

#include <algorithm>

#include "host/monotonic.h"
#include "host/reward_outcome.h"
#include "host/text_column.h"
#include "tenon/error.hpp"

namespace tenon::host {

LoneReward::LoneReward(const Instance& reward, std::chrono::nanoseconds timeout)
    : ref_(reward.ref()), timeout_(timeout) {}

std::vector<RewardAnswer> LoneReward::score(std::span<const RewardRow> rows) const {
  const uint64_t n = rows.size();
  TextColumn prompt, completion, meta;
  std::vector<uint64_t> ids(n);
  for (uint64_t i = 0; i < n; ++i) {
    prompt.add(rows[i].prompt), completion.add(rows[i].completion), meta.add(rows[i].meta);
    ids[i] = rows[i].id;
  }
  tenon_reward_in in{};
  in.struct_size = sizeof in;
  in.n = n, in.sample_id = ids.data(), in.group_id = ids.data();
  in.prompt = prompt.raw(), in.completion = completion.raw(), in.meta_json = meta.raw();

  std::vector<int32_t> tokens;
  std::vector<uint64_t> token_offsets{0};
  for (const RewardRow& row : rows) {
    if (!row.tokens) break;
    tokens.insert(tokens.end(), row.tokens->begin(), row.tokens->end());
    token_offsets.push_back(tokens.size());
  }
  if (token_offsets.size() == n + 1) in.tokens = {tokens.data(), token_offsets.data(), n};

  std::vector<RewardAnswer> out(n);
  std::vector<double> reward(n, 0.0);
  std::vector<int32_t> status(n, TENON_R_UNSET);
  tenon_reward_out raw{};
  raw.struct_size = sizeof raw;
  raw.reward = reward.data(), raw.status = status.data(), raw.ctx = &out;
  raw.reason = [](void* ctx, uint64_t i, const char* text, uint64_t length) {
    guard(nullptr, [&] { static_cast<std::vector<RewardAnswer>*>(ctx)->at(i).reason.assign(text, length); });
  };
  raw.note = [](void* ctx, uint64_t i, const char* key, double value) {
    guard(nullptr, [&] {
      RewardAnswer& answer = static_cast<std::vector<RewardAnswer>*>(ctx)->at(i);
      const std::string name = key != nullptr ? key : "";
      const bool is_known = answer.notes.contains(name);
      if (std::string fault = note_fault(name, is_known ? 0 : answer.notes.size()); !fault.empty())
        answer.note_fault = std::move(fault);
      else
        answer.notes[name] = value;
    });
  };
  tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
  if (timeout_.count() > 0) call.deadline_ns = monotonic_ns() + timeout_.count();
  char text[2048];
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  const int32_t rc =
      settled_code(static_cast<const tenon_reward_vt*>(ref_.vt)->score(ref_.self, &call, &in, &raw, &err),
                   call.deadline_ns);
  const std::string why(text, std::min<uint64_t>(err.len, sizeof text));
  if (rc < 0 && !is_error_of_samples(rc)) throw Error(rc, why);
  for (uint64_t i = 0; i < n; ++i) {
    out[i].reward = reward[i], out[i].status = status[i];
    settle(rc, why, {}, out[i].reward, out[i].status, out[i].reason);
  }
  return out;
}

}  // namespace tenon::host
