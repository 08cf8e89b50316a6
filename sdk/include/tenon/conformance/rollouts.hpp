// Random rollouts to try algorithms on: uneven groups in any order, masked tokens, empty completions, samples without a reward, ratios far from 1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tenon/rollout.hpp"

namespace tenon::conformance {

// One sequence of a random rollout has so many tokens more, the first kUnmasked of them without a gap: loops that work in blocks of up to 64 have two whole
// ones, and a part of one, before the first masked token.
inline constexpr uint64_t kLong = 190, kUnmasked = 150;

// Of a random rollout.
struct Shape {
  uint64_t groups = 6;       // of 1 to group_size sequences
  uint64_t group_size = 6;   // at most
  uint64_t tokens = 8;       // of a completion, at most; some completions are empty, and one has kLong more
  double drift = 0.3;        // most |lp_new − lp_old|; of one token in eight it is up to far_drift
  double far_drift = 3;      // e^3 = 20 times as likely
  double extreme = 1e6;      // |reward| of a group with extreme rewards
  bool token_rewards = false;
};

// Whether token t of sequence i has a part in anything.
inline bool counts(const Rollout& r, uint64_t i, uint64_t t) { return r.valid[i] != 0 && r.mask[t] != 0; }

// Calls f(i, t) for each token that counts.
template <class F>
void for_counting_tokens(const Rollout& r, F&& f) {
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (counts(r, i, t)) f(i, t);
}

// The sequence that token t is of.
inline uint64_t sequence_of(const Rollout& r, uint64_t t) {
  return static_cast<uint64_t>(std::upper_bound(r.ids.offsets.begin(), r.ids.offsets.end(), t) - r.ids.offsets.begin()) - 1;
}

// Puts `value` wherever a column of numbers means nothing: at tokens that do not count, and at samples that are not valid. Whoever multiplies by a mask instead
// of branching is found out with NaN, as 0 · NaN is NaN.
inline void fill_meaningless(Rollout& r, double value) {
  auto fill = [&](auto& column) {
    for (uint64_t i = 0; i < r.size() && !column.empty(); ++i)
      for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
        if (!counts(r, i, t)) column[t] = static_cast<std::remove_reference_t<decltype(column[t])>>(value);
  };
  fill(r.lp_sample), fill(r.lp_old), fill(r.lp_new), fill(r.lp_ref), fill(r.entropy), fill(r.value), fill(r.value_old);
  fill(r.advantage), fill(r.value_target), fill(r.weight);
  if (!std::isnan(value)) fill(r.token_reward);  // there NaN has a meaning
  for (uint64_t i = 0; i < r.size(); ++i)
    if (r.valid[i] == 0) r.reward[i] = value;
}

// A rollout with all columns that an algorithm with `needs` (TENON_NEEDS_…) is given before `advantages`, the same for the same arguments. The sequences of a
// group do not stand together; ids have nothing to do with places; rewards are, group by group, 0 or 1, small, extreme, nearly equal, or equal; one sample in
// eight is not valid; one token in six of a completion is masked, but for the first kUnmasked of the last. Everything that means nothing is NaN.
inline Rollout random_rollout(uint32_t needs, uint64_t seed, const Shape& shape = {}) {
  std::mt19937_64 random(seed);
  auto below = [&](uint64_t n) { return random() % n; };
  auto uniform = [&](double low, double high) { return low + (high - low) * (static_cast<double>(random() >> 11) * 0x1p-53); };
  std::vector<uint64_t> group;
  for (uint64_t g = 0; g < shape.groups; ++g) group.insert(group.end(), g % 3 == 2 ? 1 + below(shape.group_size) : shape.group_size - below(2), g);
  std::shuffle(group.begin(), group.end(), random);
  std::vector<uint64_t> sample(group.size());
  std::iota(sample.begin(), sample.end(), 0);
  std::shuffle(sample.begin(), sample.end(), random);

  Rollout r;
  for (uint64_t i = 0; i < group.size(); ++i) {
    std::vector<int32_t> prompt(1 + below(3), 1), completion(below(shape.tokens + 1), 2);
    const bool is_long = shape.tokens > 0 && i + 1 == group.size();
    if (is_long) completion.resize(shape.tokens + kLong, 2);
    std::vector<float> logprobs(completion.size());
    for (float& lp : logprobs) lp = static_cast<float>(uniform(-3, -0.1));
    r.push(prompt, completion, logprobs, 9000 + 17 * (group[i] ^ 5), 700001 + 13 * sample[i], below(4) == 0 ? TENON_FINISH_LENGTH : TENON_FINISH_STOP);
    r.valid.back() = below(8) != 0 || is_long;
    switch (group[i] % 5) {
      case 0: r.reward.back() = static_cast<double>(below(2)); break;
      case 1: r.reward.back() = uniform(-2, 2); break;
      case 2: r.reward.back() = uniform(-shape.extreme, shape.extreme); break;
      case 3: r.reward.back() = 1 + static_cast<double>(below(3)) * 1e-3; break;
      default: r.reward.back() = 0.5;
    }
  }
  r.version.assign(r.tokens(), 3);
  r.lp_old = r.lp_new = r.lp_sample;
  if ((needs & TENON_NEEDS_REFERENCE) != 0) r.lp_ref = r.lp_sample;
  if ((needs & TENON_NEEDS_ENTROPY) != 0) r.entropy.assign(r.tokens(), 0);
  if ((needs & TENON_NEEDS_VALUE) != 0) r.value.assign(r.tokens(), 0), r.value_old = r.value;
  if (shape.token_rewards) r.token_reward.assign(r.tokens(), std::nan(""));
  for (uint64_t i = 0; i < r.size(); ++i)
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t) {
      const bool keeps = i + 1 == r.size() && t - r.ids.offsets[i] < r.prompt_len[i] + kUnmasked;
      if (r.mask[t] != 0 && below(6) == 0 && !keeps) r.mask[t] = 0;
      const double drift = below(8) == 0 ? shape.far_drift : shape.drift;
      r.lp_sample[t] += static_cast<float>(uniform(-0.05, 0.05));
      r.lp_new[t] = static_cast<float>(r.lp_old[t] + uniform(-drift, drift));
      if (!r.lp_ref.empty()) r.lp_ref[t] = static_cast<float>(r.lp_old[t] + uniform(-0.5, 0.5));
      if (!r.entropy.empty()) r.entropy[t] = static_cast<float>(uniform(0.01, 3));
      if (!r.value.empty()) {
        r.value_old[t] = static_cast<float>(uniform(-1, 1));
        r.value[t] = static_cast<float>(r.value_old[t] + uniform(-1, 1));
      }
      if (!r.token_reward.empty() && below(3) == 0) r.token_reward[t] = uniform(-1, 1);
    }
  fill_meaningless(r, std::numeric_limits<double>::quiet_NaN());
  for (uint64_t i = 0; i < r.size() && !r.token_reward.empty(); ++i)  // not to be earned
    for (uint64_t t = r.ids.offsets[i]; t < r.ids.offsets[i + 1]; ++t)
      if (!counts(r, i, t)) r.token_reward[t] = 1e9;
  return r;
}

// r with `front` tokens that do not count before each sequence and `back` behind it: more prompt, or padding. Numbers there are NaN.
inline Rollout padded(const Rollout& r, uint64_t front, uint64_t back) {
  Rollout out;
  out.kl_scale = r.kl_scale;
  out.group_id = r.group_id, out.sample_id = r.sample_id, out.finish = r.finish, out.reward = r.reward, out.valid = r.valid;
  for (uint64_t i = 0; i < r.size(); ++i) {
    std::vector<int32_t> ids(front, 1);
    ids.insert(ids.end(), r.ids[i].begin(), r.ids[i].end());
    ids.insert(ids.end(), back, 0);
    out.ids.push(ids);
    out.prompt_len.push_back(r.prompt_len[i] + front);
    auto pad = [&](auto& to, const auto& from, auto nothing) {
      if (from.empty()) return;
      to.insert(to.end(), front, nothing);
      to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(r.ids.offsets[i]), from.begin() + static_cast<ptrdiff_t>(r.ids.offsets[i + 1]));
      to.insert(to.end(), back, nothing);
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    pad(out.mask, r.mask, uint8_t{0}), pad(out.version, r.version, uint64_t{0}), pad(out.token_reward, r.token_reward, std::nan(""));
    pad(out.lp_sample, r.lp_sample, nan), pad(out.lp_old, r.lp_old, nan), pad(out.lp_new, r.lp_new, nan), pad(out.lp_ref, r.lp_ref, nan);
    pad(out.entropy, r.entropy, nan), pad(out.value, r.value, nan), pad(out.value_old, r.value_old, nan);
    pad(out.advantage, r.advantage, std::nan("")), pad(out.value_target, r.value_target, std::nan("")), pad(out.weight, r.weight, std::nan(""));
  }
  return out;
}

}  // namespace tenon::conformance
