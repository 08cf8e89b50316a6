// What the host puts in front of models and optimizers.
// SPDX-License-Identifier: Apache-2.0
#include "host/model_proxy.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "tenon/error.hpp"

namespace tenon::host {

namespace {

// From a component's self to its proxy. There are a handful at a time, so a list is the quickest; reading it costs some 20 ns.
template <class Proxy>
class Index {
 public:
  void add(void* self, Proxy* proxy) {
    std::unique_lock lock(mutex_);
    all_.emplace_back(self, proxy);
  }
  void remove(Proxy* proxy) {
    std::unique_lock lock(mutex_);
    std::erase_if(all_, [&](const auto& entry) { return entry.second == proxy; });
  }
  Proxy& at(void* self) {
    std::shared_lock lock(mutex_);
    return *std::find_if(all_.begin(), all_.end(), [&](const auto& entry) {
              return entry.first == self;
            })->second;
  }

 private:
  std::shared_mutex mutex_;
  std::vector<std::pair<void*, Proxy*>> all_;
};

Index<ModelProxy> models;
Index<OptimizerProxy> optimizers;

// A copy of a vtable of any age: what it does not have is NULL.
template <class Table>
Table copy_table(const Table* vt) {
  Table copy{};
  std::memcpy(&copy, vt, std::min<size_t>(sizeof copy, vt->struct_size));
  copy.struct_size = std::min<uint32_t>(sizeof copy, vt->struct_size);
  return copy;
}

}  // namespace

ModelProxy::ModelProxy(void* self, const tenon_model_vt* vt, std::string place)
    : self_(self), vt_(vt), table_(copy_table(vt)), place_(std::move(place)) {
  if (table_.score != nullptr) table_.score = score;
  if (table_.accumulate != nullptr) table_.accumulate = accumulate;
  if (table_.decode != nullptr) table_.decode = decode;
  if (table_.params_updated != nullptr) table_.params_updated = params_updated;
  models.add(self, this);
}
ModelProxy::~ModelProxy() {
  models.remove(this);
}
ModelProxy& ModelProxy::of(void* self) {
  return models.at(self);
}

void ModelProxy::parameters_changed() {
  changed_ = true;
  stale_.store(true, std::memory_order_release);
}

int32_t ModelProxy::refuse(const char* what, tenon_error* err) const {
  return set_error(err, TENON_E_STATE,
                   place_ + ": " + what +
                       " was called after an optimizer step and before params_updated: the model may hold "
                       "packed or cached "
                       "weights of the step before");
}

int32_t ModelProxy::params_updated(void* self, const tenon_call* call, uint64_t version, tenon_error* err) {
  ModelProxy& proxy = of(self);
  const int32_t rc = proxy.vt_->params_updated(self, call, version, err);
  if (rc < 0) return rc;
  proxy.version_ = version;
  proxy.changed_ = true;
  proxy.stale_.store(false, std::memory_order_release);
  return rc;
}

void ModelProxy::loaded(const tenon_call* call, uint64_t version) {
  ErrorBuffer err;
  err.check(vt_->params_updated(self_, call, version, err));
  version_ = version;
}

int32_t ModelProxy::score(void* self, const tenon_call* call, const tenon_tokens* tokens,
                          tenon_score_out* out, tenon_error* err) {
  ModelProxy& proxy = of(self);
  if (proxy.stale_.load(std::memory_order_acquire)) return proxy.refuse("score", err);
  return proxy.vt_->score(self, call, tokens, out, err);
}
int32_t ModelProxy::accumulate(void* self, const tenon_call* call, const tenon_tokens* tokens,
                               const float* d_logprob, float* logprob, tenon_error* err) {
  ModelProxy& proxy = of(self);
  if (proxy.stale_.load(std::memory_order_acquire)) return proxy.refuse("accumulate", err);
  return proxy.vt_->accumulate(self, call, tokens, d_logprob, logprob, err);
}
int32_t ModelProxy::decode(void* self, const tenon_call* call, uint64_t session, const tenon_tokens* append,
                           const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token,
                           float* logprob, tenon_error* err) {
  ModelProxy& proxy = of(self);
  if (proxy.stale_.load(std::memory_order_acquire)) return proxy.refuse("decode", err);
  return proxy.vt_->decode(self, call, session, append, sampling, sample_id, token, logprob, err);
}

OptimizerProxy::OptimizerProxy(void* self, const tenon_optimizer_vt* vt)
    : self_(self), vt_(vt), table_(copy_table(vt)) {
  table_.step = step;
  optimizers.add(self, this);
}
OptimizerProxy::~OptimizerProxy() {
  optimizers.remove(this);
}
OptimizerProxy& OptimizerProxy::of(void* self) {
  return optimizers.at(self);
}

int32_t OptimizerProxy::step(void* self, const tenon_call* call, tenon_optimizer_stats* stats,
                             tenon_error* err) {
  OptimizerProxy& proxy = of(self);
  if (proxy.model_ == nullptr)
    return set_error(err, TENON_E_STATE,
                     "the optimizer is not bound to a model: the stage must call io->bind first");
  const int32_t rc = proxy.vt_->step(self, call, stats, err);
  if (rc >= 0) proxy.model_->parameters_changed();
  return rc;
}

}  // namespace tenon::host
