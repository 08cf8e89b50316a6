// A reward that is asked outside of a run.
// SPDX-License-Identifier: Apache-2.0
#include "host/lone_reward.h"

#include <algorithm>
#include <utility>

#include "host/monotonic.h"
#include "host/reward_outcome.h"
#include "host/reward_watch.h"
#include "host/text_column.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

// What a reward says during one call.
struct Said {
  std::vector<RewardAnswer>& answers;
  Begun begun{};
};

void on_reason(void* ctx, uint64_t i, const char* text, uint64_t length) {
  guard(nullptr, [&] { static_cast<Said*>(ctx)->answers.at(i).reason.assign(text, length); });
}
void on_note(void* ctx, uint64_t i, const char* key, double value) {
  guard(nullptr, [&] {
    RewardAnswer& answer = static_cast<Said*>(ctx)->answers.at(i);
    const std::string name = key != nullptr ? key : "";
    const bool is_known = answer.notes.contains(name);
    if (std::string fault = note_fault(name, is_known ? 0 : answer.notes.size()); !fault.empty())
      answer.note_fault = std::move(fault);
    else
      answer.notes[name] = value;
  });
}
void on_judging(void* ctx, uint64_t i, int32_t begins) {
  guard(nullptr, [&] { static_cast<Said*>(ctx)->begun.mark(i, begins != 0); });
}

}  // namespace

LoneReward::LoneReward(const Instance& reward, std::chrono::nanoseconds timeout, RewardRules rules)
    : reward_(reward), timeout_(timeout), rules_(std::move(rules)) {}

void LoneReward::set_watchdog(Watchdog& dog, std::string option,
                              std::function<std::string(uint64_t id)> name) {
  dog_ = &dog, option_ = std::move(option), name_ = std::move(name);
}

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
  if (rules_.is_plain()) {
    ask(in, out);
    return out;
  }
  const RewardView view(rules_, in);
  for (uint64_t i = 0; i < n; ++i) out[i].status = TENON_R_NOT_APPLICABLE, out[i].reason = view.left_out(i);
  std::vector<RewardAnswer> seen(view.in().n);
  if (!seen.empty()) ask(view.in(), seen);
  for (uint64_t k = 0; k < seen.size(); ++k) out[view.place(k)] = std::move(seen[k]);
  return out;
}

void LoneReward::ask(const tenon_reward_in& in, std::vector<RewardAnswer>& out) const {
  const uint64_t n = in.n;
  std::vector<double> reward(n, 0.0);
  std::vector<int32_t> status(n, TENON_R_UNSET);
  Said said{out};
  tenon_reward_out raw{};
  raw.struct_size = sizeof raw;
  raw.reward = reward.data(), raw.status = status.data(), raw.ctx = &said;
  raw.reason = on_reason, raw.note = on_note, raw.judging = on_judging;
  tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
  if (timeout_.count() > 0) call.deadline_ns = monotonic_ns() + timeout_.count();
  std::optional<Watchdog::Call> watched;
  const auto at = [&] {
    return said.begun.oldest([&](uint64_t i) { return name_(i < n ? in.sample_id[i] : 0); });
  };
  // Of one that is ended by the host it is a sign of life only.
  if (dog_ != nullptr)
    watched.emplace(*dog_, "reward '" + reward_.spec().name + "'",
                    std::to_string(n) + (n == 1 ? " row" : " rows"), option_,
                    reward_.spec().isolated ? std::chrono::nanoseconds(0) : timeout_, at,
                    hang_advice(reward_.spec()));
  char text[2048];
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  const tenon_ref ref = reward_.ref();
  const int32_t rc = settled_code(
      static_cast<const tenon_reward_vt*>(ref.vt)->score(ref.self, &call, &in, &raw, &err), call.deadline_ns);
  const std::string why(text, std::min<uint64_t>(err.len, sizeof text));
  if (rc < 0 && !is_error_of_samples(rc)) throw Error(rc, why);
  for (uint64_t i = 0; i < n; ++i) {
    out[i].reward = reward[i], out[i].status = status[i];
    settle(rc, why, {}, out[i].reward, out[i].status, out[i].reason);
  }
}

}  // namespace tenon::host
