// Optimizers: gradients to parameters.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "tenon/plugin.hpp"

namespace tenon {

// T: constructor T(Host);
//   void bind(std::span<const tenon_param* const> params, uint64_t total_steps);   once; the parameters outlive T
//   void step(const tenon_call*, tenon_optimizer_stats&);
// and, for its state, `extension` giving TENON_EXT_STATE_TENSORS and save/load for the step count; TENON_EXT_SCHEDULE if there are numbers of steps that bind
// refuses.
template <class T>
struct OptimizerShim {
  static constexpr const char* kKind = "optimizer";
  static int32_t bind(void* self, const tenon_param* const* params, uint64_t n, uint64_t total_steps, tenon_error* err) {
    return guard(err, [&] { static_cast<T*>(self)->bind(std::span<const tenon_param* const>(params, n), total_steps); });
  }
  static int32_t step(void* self, const tenon_call* call, tenon_optimizer_stats* stats, tenon_error* err) {
    return guard(err, [&] { static_cast<T*>(self)->step(call, *stats); });
  }
  static constexpr tenon_optimizer_vt kTable{sizeof(tenon_optimizer_vt), 0, bind, step};
};

// An optimizer to use. Bound by the host (StageIo::bind).
class Optimizer {
 public:
  static constexpr const char* kKind = "optimizer";
  explicit Optimizer(const tenon_ref& ref) : self_(ref.self), vt_(static_cast<const tenon_optimizer_vt*>(ref.vt)), life_(ref.life) {}
  // For a stage's constructor. Throws what bind would throw for total_steps, if the optimizer can tell beforehand (TENON_EXT_SCHEDULE).
  void check_steps(uint64_t total_steps) const {
    if (!TENON_FN(life_, tenon_life, extension)) return;
    const auto* schedule = static_cast<const tenon_schedule*>(life_->extension(self_, TENON_EXT_SCHEDULE));
    if (!TENON_FN(schedule, tenon_schedule, check)) return;
    ErrorBuffer err;
    err.check(schedule->check(self_, total_steps, err));
  }
  tenon_optimizer_stats step(const tenon_call* call) const {
    tenon_optimizer_stats stats{};
    stats.struct_size = sizeof stats;
    ErrorBuffer err;
    err.check(vt_->step(self_, call, &stats, err));
    return stats;
  }

 private:
  void* self_;
  const tenon_optimizer_vt* vt_;
  const tenon_life* life_;
};

}  // namespace tenon

#define TENON_OPTIMIZER_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, OptimizerShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
