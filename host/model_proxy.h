// What the host puts in front of models and optimizers, so that nobody samples from or scores with stale weights.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tenon/abi.h"

namespace tenon::host {

// A vtable that is called with the model's own `self` and forwards everything to it, except that score, accumulate and decode answer TENON_E_STATE
// between an optimizer's step and params_updated. Because self is the model's own, its extensions work as they are.
class ModelProxy {
 public:
  // place: for messages, "zero/model". The model outlives the proxy.
  ModelProxy(void* self, const tenon_model_vt* vt, std::string place);
  ~ModelProxy();
  ModelProxy(const ModelProxy&) = delete;
  ModelProxy& operator=(const ModelProxy&) = delete;

  void* self() const { return self_; }
  const tenon_model_vt* table() const { return &table_; }
  const tenon_model_vt* behind() const { return vt_; }

  // An optimizer stepped.
  void parameters_changed();
  // The version that was announced last.
  uint64_t version() const { return version_; }
  // The host itself has filled the parameters: params_updated, but not as a change. Throws tenon::Error.
  void loaded(const tenon_call*, uint64_t version);
  // Its weights came from a checkpoint of this stage: they belong in the next one even if no update follows.
  void restored() { changed_ = true; }
  // Whether the weights are other than those the model was created or loaded with: an optimizer stepped, or params_updated was called.
  bool changed() const { return changed_; }

 private:
  static ModelProxy& of(void* self);
  static int32_t params_updated(void* self, const tenon_call*, uint64_t version, tenon_error*);
  static int32_t score(void* self, const tenon_call*, const tenon_tokens*, tenon_score_out*, tenon_error*);
  static int32_t accumulate(void* self, const tenon_call*, const tenon_tokens*, const float*, float*,
                            tenon_error*);
  static int32_t decode(void* self, const tenon_call*, uint64_t session, const tenon_tokens*,
                        const tenon_sampling*, const uint64_t*, int32_t*, float*, tenon_error*);
  int32_t refuse(const char* what, tenon_error*) const;

  void* self_;
  const tenon_model_vt* vt_;
  tenon_model_vt table_;
  std::string place_;
  std::atomic<bool> stale_{false};
  std::atomic<bool> changed_{false};
  std::atomic<uint64_t> version_{0};
};

// The same for an optimizer: tells its model of every step.
class OptimizerProxy {
 public:
  OptimizerProxy(void* self, const tenon_optimizer_vt* vt);
  ~OptimizerProxy();
  OptimizerProxy(const OptimizerProxy&) = delete;
  OptimizerProxy& operator=(const OptimizerProxy&) = delete;

  const tenon_optimizer_vt* table() const { return &table_; }
  const tenon_optimizer_vt* behind() const { return vt_; }
  // The model whose parameters it steps; outlives the proxy.
  void attach(ModelProxy* model) { model_ = model; }
  ModelProxy* model() const { return model_; }

 private:
  static OptimizerProxy& of(void* self);
  static int32_t step(void* self, const tenon_call*, tenon_optimizer_stats*, tenon_error*);

  void* self_;
  const tenon_optimizer_vt* vt_;
  tenon_optimizer_vt table_;
  ModelProxy* model_ = nullptr;
};

}  // namespace tenon::host
