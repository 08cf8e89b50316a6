// Algorithms: rewards to advantages, and advantages to dL/d log-probability. Pure functions of columns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
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

  // The valid sequences of each group, groups in order of first appearance. Grouping is by id, never by stride; groups may be uneven.
  std::vector<std::vector<uint64_t>> groups() const {
    std::vector<std::vector<uint64_t>> out;
    std::map<uint64_t, size_t> where;
    for (uint64_t i = 0; i < sequences(); ++i) {
      if (!valid(i)) continue;
      auto [at, fresh] = where.try_emplace(group(i), out.size());
      if (fresh) out.emplace_back();
      out[at->second].push_back(i);
    }
    return out;
  }

 private:
  const tenon_rollout* r_;
};

// Where advantages and metrics go.
class Advantages {
 public:
  Advantages(const tenon_rollout* r, double* out, tenon_gradient_out* metrics) : r_(r), out_(out), metrics_(metrics) {}
  // The same value for every scored token of sequence i.
  void set(uint64_t i, double value) {
    for (uint64_t t = r_->offsets[i]; t < r_->offsets[i + 1]; ++t)
      if (r_->mask[t] != 0) out_[t] = value;
  }
  void set_token(uint64_t t, double value) { out_[t] = value; }
  // Adds to the metric: recorded is Σ sum / Σ count.
  void metric(const char* name, double sum, double count = 1) const {
    if (metrics_ != nullptr && metrics_->metric != nullptr) metrics_->metric(metrics_->ctx, name, sum, count);
  }

 private:
  const tenon_rollout* r_;
  double* out_;
  tenon_gradient_out* metrics_;
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
  void metric(const char* name, double sum, double count = 1) const {
    if (out_->metric != nullptr) out_->metric(out_->ctx, name, sum, count);
  }

 private:
  tenon_gradient_out* out_;
};

// T: constructor T(Host);
//   tenon_algorithm_info info() const;                                        needs, aggregation, constant
//   void advantages(const RolloutView&, Advantages&) const;
//   void gradient(const RolloutView&, Gradient&) const;
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
  static int32_t advantages(void* self, const tenon_call*, const tenon_rollout* in, double* advantage, tenon_gradient_out* metrics, tenon_error* err) {
    return guard(err, [&] {
      Advantages out(in, advantage, metrics);
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
