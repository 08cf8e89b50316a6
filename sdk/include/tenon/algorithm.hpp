// Algorithms: rewards to advantages, and advantages to dL/d log-probability. Pure functions of columns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <span>

#include "tenon/plugin.hpp"

namespace tenon {

// A rollout's columns with bounds that are easy to loop over. Per-token columns are dense over prompt + completion; where mask is 0 they mean nothing.
class RolloutView {
 public:
  explicit RolloutView(const tenon_rollout* r) : r_(r) {}
  const tenon_rollout& raw() const { return *r_; }
  uint64_t sequences() const { return r_->n_seq; }
  uint64_t tokens() const { return r_->n_tok; }
  uint64_t begin(uint64_t i) const { return r_->offsets[i]; }
  uint64_t end(uint64_t i) const { return r_->offsets[i + 1]; }
  bool scored(uint64_t t) const { return r_->mask[t] != 0; }
  bool valid(uint64_t i) const { return r_->valid == nullptr || r_->valid[i] != 0; }
  double reward(uint64_t i) const { return r_->reward[i]; }
  uint64_t group(uint64_t i) const { return r_->group_id[i]; }
  double advantage(uint64_t t) const { return r_->advantage[t]; }
  double weight(uint64_t t) const { return r_->weight[t]; }
  double lp_new(uint64_t t) const { return r_->lp_new[t]; }
  double lp_old(uint64_t t) const { return r_->lp_old[t]; }
  double lp_ref(uint64_t t) const { return r_->lp_ref[t]; }
  // Factor of the weight of the divergence from the reference.
  double kl_scale() const { return TENON_HAS(r_, tenon_rollout, kl_scale) ? r_->kl_scale : 1; }
  // Of sequence i, for messages.
  uint64_t sample_id(uint64_t i) const { return r_->sample_id != nullptr ? r_->sample_id[i] : i; }
  bool has_token_reward(uint64_t t) const { return r_->token_reward != nullptr && !std::isnan(r_->token_reward[t]); }
  double token_reward(uint64_t t) const { return r_->token_reward[t]; }
  // All that sequence i earned: its reward and those of its tokens.
  double total_reward(uint64_t i) const {
    double sum = reward(i);
    if (r_->token_reward != nullptr)
      for (uint64_t t = begin(i); t < end(i); ++t)
        if (scored(t) && has_token_reward(t)) sum += token_reward(t);
    return sum;
  }
  // The scored tokens of sequence i as runs: f(begin, end) for each longest run of neighbours whose mask is 1.
  template <class F>
  void for_runs(uint64_t i, F&& f) const {
    for (uint64_t t = begin(i), stop = end(i); t < stop;) {
      const uint64_t first = t;
      const void* zero = std::memchr(r_->mask + t, 0, stop - t);  // the next token that is not scored
      t = zero == nullptr ? stop : static_cast<uint64_t>(static_cast<const uint8_t*>(zero) - r_->mask);
      if (t > first) f(first, t);
      while (t < stop && r_->mask[t] == 0) ++t;
    }
  }

  // The valid sequences by sample id: the order to add numbers up in, so that the sum's bits do not depend on where the sequences stand.
  std::vector<uint64_t> by_sample() const {
    std::vector<uint64_t> order;
    for (uint64_t i = 0; i < sequences(); ++i)
      if (valid(i)) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](uint64_t a, uint64_t b) { return sample_id(a) < sample_id(b); });
    return order;
  }
  // The valid sequences of each group, in the order of by_sample(). Grouping is by id, never by stride; groups may be uneven.
  std::vector<std::vector<uint64_t>> groups() const {
    std::vector<std::vector<uint64_t>> out;
    std::map<uint64_t, size_t> where;
    for (uint64_t i : by_sample()) {
      auto [at, fresh] = where.try_emplace(group(i), out.size());
      if (fresh) out.emplace_back();
      out[at->second].push_back(i);
    }
    return out;
  }

 private:
  const tenon_rollout* r_;
};

// Where advantages, what the critic learns, and metrics go.
class Advantages {
 public:
  Advantages(const tenon_rollout* r, tenon_advantages_out* out) : r_(r), out_(out) {}
  // The same value for every scored token of sequence i.
  void set(uint64_t i, double value) {
    for (uint64_t t = r_->offsets[i]; t < r_->offsets[i + 1]; ++t) out_->advantage[t] = r_->mask[t] != 0 ? value : 0;
  }
  void set_token(uint64_t t, double value) { out_->advantage[t] = value; }
  double at(uint64_t t) const { return out_->advantage[t]; }
  void set_value_target(uint64_t t, double value) {
    if (out_->value_target != nullptr) out_->value_target[t] = value;
  }
  // The columns themselves, for whoever fills them in runs; value_target is null where nobody asks for it.
  double* advantage() const { return out_->advantage; }
  double* value_target() const { return out_->value_target; }
  // Adds to the metric: recorded is Σ sum / Σ count.
  void metric(const char* name, double sum, double count = 1) const { report(name, TENON_METRIC_MEAN, sum, count); }
  // Recorded is the smallest, the largest of all.
  void metric_min(const char* name, double value) const { report(name, TENON_METRIC_MIN, value, 1); }
  void metric_max(const char* name, double value) const { report(name, TENON_METRIC_MAX, value, 1); }

 private:
  void report(const char* name, int32_t how, double value, double count) const {
    if (out_->metric != nullptr) out_->metric(out_->ctx, name, how, value, count);
  }
  const tenon_rollout* r_;
  tenon_advantages_out* out_;
};

// Where the loss and its derivatives go.
class Gradient {
 public:
  explicit Gradient(tenon_gradient_out* out) : out_(out) {}
  // Token t contributes `loss`, with derivative d_logprob by its log-probability. Both already multiplied by the token's weight.
  void add(uint64_t t, double loss, double d_logprob) {
    out_->loss += loss;
    out_->d_logprob[t] += static_cast<float>(d_logprob);
  }
  void add_entropy(uint64_t t, double loss, double d_entropy) {
    out_->loss += loss;
    out_->d_entropy[t] += static_cast<float>(d_entropy);
  }
  void add_value(uint64_t t, double loss, double d_value) {
    out_->loss += loss;
    out_->d_value[t] += static_cast<float>(d_value);
  }
  bool has_entropy() const { return out_->d_entropy != nullptr; }
  bool has_value() const { return out_->d_value != nullptr; }
  // The columns themselves, for whoever fills them in runs; the loss is then given by add_loss.
  float* d_logprob() const { return out_->d_logprob; }
  float* d_entropy() const { return out_->d_entropy; }
  float* d_value() const { return out_->d_value; }
  void add_loss(double loss) { out_->loss += loss; }
  void metric(const char* name, double sum, double count = 1) const { report(name, TENON_METRIC_MEAN, sum, count); }
  void metric_min(const char* name, double value) const { report(name, TENON_METRIC_MIN, value, 1); }
  void metric_max(const char* name, double value) const { report(name, TENON_METRIC_MAX, value, 1); }

 private:
  void report(const char* name, int32_t how, double value, double count) const {
    if (out_->metric != nullptr) out_->metric(out_->ctx, name, how, value, count);
  }
  tenon_gradient_out* out_;
};

// The chain that `tenon explain` prints.
class Explanation {
 public:
  explicit Explanation(const tenon_explanation* out) : out_(out) {}
  // What it is ("group mean"), its value, and in words how it is computed.
  void link(const std::string& quantity, double value, const std::string& how = "") const {
    out_->link(out_->ctx, quantity.c_str(), value, how.c_str());
  }

 private:
  const tenon_explanation* out_;
};

// tenon_explain of a class that has `explain`; what its `extension` answers to TENON_EXT_EXPLAIN.
template <class T>
const void* explain_extension(std::string_view id) {
  static constexpr tenon_explain kTable{sizeof(tenon_explain), 0,
                                        [](void* self, const tenon_call*, const tenon_rollout* in, uint64_t i, uint64_t t, const tenon_explanation* out,
                                           tenon_error* err) -> int32_t {
                                          return guard(err, [&] { static_cast<const T*>(self)->explain(RolloutView(in), i, t, Explanation(out)); });
                                        }};
  return id == TENON_EXT_EXPLAIN ? &kTable : nullptr;
}

// tenon_surrogate of a class with `double surrogate(const RolloutView& at, const RolloutView& frozen) const`.
template <class T>
const void* surrogate_extension(std::string_view id) {
  static constexpr tenon_surrogate kTable{sizeof(tenon_surrogate), 0,
                                          [](void* self, const tenon_call*, const tenon_rollout* at, const tenon_rollout* frozen, double* loss,
                                             tenon_error* err) -> int32_t {
                                            return guard(err, [&] { *loss = static_cast<const T*>(self)->surrogate(RolloutView(at), RolloutView(frozen)); });
                                          }};
  return id == TENON_EXT_SURROGATE ? &kTable : nullptr;
}

// T: constructor T(Host);
//   tenon_algorithm_info info() const;                                        needs, aggregation, constant
//   void advantages(const RolloutView&, Advantages&) const;
//   void gradient(const RolloutView&, Gradient&) const;
// and, optional, void explain(const RolloutView&, uint64_t i, uint64_t t, const Explanation&) const with
//   const void* extension(std::string_view id) { return tenon::explain_extension<T>(id); }
template <class T>
struct AlgorithmShim {
  static constexpr const char* kKind = "algorithm";
  static int32_t info(void* self, tenon_algorithm_info* out, tenon_error* err) {
    return guard(err, [&] {
      uint32_t size = out->struct_size;
      tenon_algorithm_info mine = static_cast<const T*>(self)->info();
      mine.struct_size = sizeof mine;
      std::memcpy(out, &mine, size < sizeof mine ? size : sizeof mine);
      out->struct_size = size;
    });
  }
  static int32_t advantages(void* self, const tenon_call*, const tenon_rollout* in, tenon_advantages_out* raw, tenon_error* err) {
    return guard(err, [&] {
      Advantages out(in, raw);
      static_cast<T*>(self)->advantages(RolloutView(in), out);
    });
  }
  static int32_t gradient(void* self, const tenon_call*, const tenon_rollout* in, tenon_gradient_out* raw, tenon_error* err) {
    return guard(err, [&] {
      Gradient out(raw);
      static_cast<T*>(self)->gradient(RolloutView(in), out);
    });
  }
  static constexpr tenon_algorithm_vt kTable{sizeof(tenon_algorithm_vt), 0, info, advantages, gradient};
};

}  // namespace tenon

#define TENON_ALGORITHM_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, AlgorithmShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
