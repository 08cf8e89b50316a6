// A rollout as a stage holds it: whole sequences in columns, and contiguous or arbitrary parts of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <numeric>

#include "tenon/algorithm.hpp"
#include "tenon/model.hpp"

namespace tenon {

// Columns as in tenon_rollout, owning. Per-token columns are dense over prompt + completion; a column that is not there is empty.
struct Rollout {
  Ragged<int32_t> ids;  // prompt + completion of each sequence
  std::vector<uint64_t> prompt_len, group_id, sample_id;
  std::vector<uint64_t> version;  // per token
  std::vector<int32_t> finish;
  std::vector<uint8_t> mask;  // 1 on completion tokens, the sampled EOS included
  std::vector<double> reward;
  std::vector<uint8_t> valid;
  std::vector<double> token_reward;  // NaN: none
  std::vector<float> lp_sample, lp_old, lp_new, lp_ref, entropy, value, value_old;
  std::vector<double> advantage, value_target, weight;
  double kl_scale = 1;

  uint64_t size() const { return ids.size(); }
  uint64_t tokens() const { return ids.values.size(); }
  // All that sequence i earned: its reward and those of its tokens.
  double total_reward(uint64_t i) const {
    double sum = reward[i];
    if (!token_reward.empty())
      for (uint64_t t = ids.offsets[i]; t < ids.offsets[i + 1]; ++t)
        if (mask[t] != 0 && !std::isnan(token_reward[t])) sum += token_reward[t];
    return sum;
  }
  uint64_t completion_len(uint64_t i) const { return ids[i].size() - prompt_len[i]; }

  // Adds a sequence. logprobs: of the completion, or empty.
  void push(std::span<const int32_t> prompt, std::span<const int32_t> completion, std::span<const float> logprobs, uint64_t group, uint64_t sample,
            int32_t how) {
    ids.values.insert(ids.values.end(), prompt.begin(), prompt.end());
    ids.values.insert(ids.values.end(), completion.begin(), completion.end());
    ids.offsets.push_back(ids.values.size());
    prompt_len.push_back(prompt.size());
    group_id.push_back(group);
    sample_id.push_back(sample);
    finish.push_back(how);
    mask.resize(mask.size() + prompt.size(), 0);
    mask.resize(mask.size() + completion.size(), 1);
    lp_sample.resize(lp_sample.size() + prompt.size(), 0.0f);
    lp_sample.insert(lp_sample.end(), logprobs.begin(), logprobs.end());
    lp_sample.resize(mask.size(), 0.0f);
    reward.push_back(0);
    valid.push_back(1);
  }

  // The sequences `rows`, in that order, with all columns. Throws TENON_E_INTERNAL for a column that is there but not complete.
  Rollout select(std::span<const uint64_t> rows) const {
    check_columns();
    Rollout out;
    out.kl_scale = kl_scale;
    for (uint64_t i : rows) {
      out.ids.push(ids[i]);
      auto per_seq = [&](auto& to, const auto& from) {
        if (!from.empty()) to.push_back(from[i]);
      };
      per_seq(out.prompt_len, prompt_len), per_seq(out.group_id, group_id), per_seq(out.sample_id, sample_id);
      per_seq(out.finish, finish), per_seq(out.reward, reward), per_seq(out.valid, valid);
      auto per_token = [&](auto& to, const auto& from) {
        if (!from.empty()) to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(ids.offsets[i]), from.begin() + static_cast<ptrdiff_t>(ids.offsets[i + 1]));
      };
      per_token(out.mask, mask), per_token(out.lp_sample, lp_sample), per_token(out.lp_old, lp_old), per_token(out.lp_new, lp_new);
      per_token(out.lp_ref, lp_ref), per_token(out.entropy, entropy), per_token(out.value, value), per_token(out.value_old, value_old);
      per_token(out.advantage, advantage), per_token(out.value_target, value_target), per_token(out.weight, weight);
      per_token(out.token_reward, token_reward), per_token(out.version, version);
    }
    return out;
  }

  // What an algorithm is given. Valid while *this is not changed.
  tenon_rollout raw() const {
    auto data = [](const auto& v) { return v.empty() ? nullptr : v.data(); };
    tenon_rollout r{};
    r.struct_size = sizeof r;
    r.n_seq = size(), r.n_tok = tokens(), r.offsets = ids.offsets.data();
    r.group_id = data(group_id), r.sample_id = data(sample_id), r.mask = data(mask);
    r.reward = data(reward), r.valid = data(valid), r.token_reward = data(token_reward);
    r.lp_sample = data(lp_sample), r.lp_old = data(lp_old), r.lp_new = data(lp_new), r.lp_ref = data(lp_ref);
    r.entropy = data(entropy), r.value = data(value), r.value_old = data(value_old);
    r.advantage = data(advantage), r.value_target = data(value_target), r.weight = data(weight);
    r.version = data(version), r.kl_scale = kl_scale;
    return r;
  }
  // What a model is given.
  tenon_tokens tokens_for_model(float temperature, int32_t head = TENON_HEAD_LANGUAGE) const {
    return {sizeof(tenon_tokens), head, ids.raw(), mask.data(), sample_id.data(), group_id.data(), prompt_len.data(), nullptr, temperature, 0};
  }

  // Cuts [0, size) into contiguous runs of at most `budget` tokens; a longer sequence is alone; a group is never cut unless it alone exceeds the budget, and
  // with whole_groups not even then.
  std::vector<std::vector<uint64_t>> micro_batches(uint64_t budget, bool whole_groups = false) const {
    std::vector<std::vector<uint64_t>> out;
    uint64_t held = 0;
    for (uint64_t i = 0; i < size();) {
      uint64_t end = i, n = 0;
      while (end < size() && group_id[end] == group_id[i]) n += ids[end++].size();
      if (n > budget && !whole_groups) {  // the group alone is too large
        end = i + 1;
        n = ids[i].size();
      }
      if (out.empty() || held + n > budget) {
        out.emplace_back();
        held = 0;
      }
      for (; i < end; ++i) out.back().push_back(i);
      held += n;
    }
    return out;
  }

 private:
  void check_columns() const {
    auto check = [](const char* name, uint64_t has, uint64_t wants, const char* what) {
      if (has != 0 && has != wants)
        throw Error(TENON_E_INTERNAL, std::string("column ") + name + " of the rollout has " + std::to_string(has) + " values for " + std::to_string(wants) + what);
    };
    auto per_seq = [&](const char* name, const auto& column) { check(name, column.size(), size(), " sequences"); };
    per_seq("prompt_len", prompt_len), per_seq("group_id", group_id), per_seq("sample_id", sample_id);
    per_seq("finish", finish), per_seq("reward", reward), per_seq("valid", valid);
    auto per_token = [&](const char* name, const auto& column) { check(name, column.size(), tokens(), " tokens"); };
    per_token("mask", mask), per_token("lp_sample", lp_sample), per_token("lp_old", lp_old), per_token("lp_new", lp_new);
    per_token("lp_ref", lp_ref), per_token("entropy", entropy), per_token("value", value);
    per_token("advantage", advantage), per_token("weight", weight), per_token("value_old", value_old);
    per_token("value_target", value_target), per_token("token_reward", token_reward), per_token("version", version);
  }
};

// An algorithm to use.
class Algorithm {
 public:
  static constexpr const char* kKind = "algorithm";
  explicit Algorithm(const tenon_ref& ref) : self_(ref.self), vt_(static_cast<const tenon_algorithm_vt*>(ref.vt)) {}

  tenon_algorithm_info info() const {
    tenon_algorithm_info info{};
    info.struct_size = sizeof info;
    ErrorBuffer err;
    err.check(vt_->info(self_, &info, err));
    return info;
  }

  // What the algorithm reported, over all calls that were given the same Metrics.
  struct Metrics {
    std::map<std::string, std::pair<double, double>> sums;  // Σ value, Σ count; recorded as their ratio
    std::map<std::string, double> least, most;              // TENON_METRIC_MIN, _MAX
    static void add(void* ctx, const char* name, int32_t how, double value, double count) noexcept {
      auto& to = *static_cast<Metrics*>(ctx);
      if (how == TENON_METRIC_MIN) {
        auto [at, is_new] = to.least.try_emplace(name, value);
        at->second = std::min(at->second, value);
      } else if (how == TENON_METRIC_MAX) {
        auto [at, is_new] = to.most.try_emplace(name, value);
        at->second = std::max(at->second, value);
      } else {
        auto& slot = to.sums[name];
        slot.first += value;
        slot.second += count;
      }
    }
    void record(const Host& host) const {
      for (const auto& [name, s] : sums) host.metric(name.c_str(), s.second != 0 ? s.first / s.second : std::nan(""));
      for (const auto& [name, value] : least) host.metric(name.c_str(), value);
      for (const auto& [name, value] : most) host.metric(name.c_str(), value);
    }
  };

  // Fills r.advantage and, if the algorithm needs values, r.value_target.
  void advantages(const tenon_call* call, Rollout& r, Metrics& metrics) const {
    const bool has_values = (info().needs & TENON_NEEDS_VALUE) != 0;
    std::vector<double> advantage(r.tokens(), 0.0), target(has_values ? r.tokens() : 0, 0.0);
    tenon_advantages_out out{sizeof out, 0, advantage.data(), has_values ? target.data() : nullptr, &metrics, Metrics::add};
    tenon_rollout raw = r.raw();
    ErrorBuffer err;
    err.check(vt_->advantages(self_, call, &raw, &out, err));
    r.advantage = std::move(advantage), r.value_target = std::move(target);
  }

  // dL/d log-probability, and by entropy and value if r has those columns.
  struct Columns {
    double loss = 0;
    std::vector<float> d_logprob, d_entropy, d_value;
  };
  Columns gradient(const tenon_call* call, const Rollout& r, Metrics& metrics) const {
    Columns c;
    c.d_logprob.assign(r.tokens(), 0.0f);
    if (!r.entropy.empty()) c.d_entropy.assign(r.tokens(), 0.0f);
    if (!r.value.empty()) c.d_value.assign(r.tokens(), 0.0f);
    auto data = [](auto& v) { return v.empty() ? nullptr : v.data(); };
    tenon_gradient_out out{sizeof out, 0, 0, data(c.d_logprob), data(c.d_entropy), data(c.d_value), &metrics, Metrics::add};
    tenon_rollout raw = r.raw();
    ErrorBuffer err;
    err.check(vt_->gradient(self_, call, &raw, &out, err));
    c.loss = out.loss;
    return c;
  }

 private:
  void* self_;
  const tenon_algorithm_vt* vt_;
};

}  // namespace tenon
