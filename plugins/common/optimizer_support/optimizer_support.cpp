// Binding, schedule, clipping and state of optimizers.
// SPDX-License-Identifier: Apache-2.0
#include "optimizer_support/optimizer_support.h"

#include <cmath>
#include <numbers>

#include "tenon/kernels/vector.h"

namespace tenon::optimizer_support {

Schedule::Schedule(const Host& host, const char* rate)
    : peak_(host.f64(rate)), final_(host.f64("final")), warmup_(static_cast<uint64_t>(host.i64("warmup"))) {
  std::string shape = host.str("schedule");
  if (shape == "constant") {
    shape_ = Shape::kConstant;
  } else if (shape == "linear") {
    shape_ = Shape::kLinear;
  } else if (shape == "cosine") {
    shape_ = Shape::kCosine;
  } else {
    throw Error(TENON_E_INTERNAL, "no schedule \"" + shape + "\"");
  }
}

void Schedule::check_length(uint64_t total_steps) const {
  if (total_steps == 0) throw Error(TENON_E_INVALID, "the stage has no optimizer steps");
  if (warmup_ >= total_steps)
    throw Error(TENON_E_INVALID, "option warmup: " + std::to_string(warmup_) + " steps, but the stage has " +
                                     std::to_string(total_steps) + " optimizer steps in all; at most " +
                                     std::to_string(total_steps - 1) + " can be warm-up");
}

void Schedule::set_length(uint64_t total_steps) {
  check_length(total_steps);
  total_ = total_steps;
}

double Schedule::learning_rate(uint64_t step) const {
  if (step < warmup_) return peak_ * static_cast<double>(step + 1) / static_cast<double>(warmup_);
  uint64_t falling = total_ - warmup_ - 1, done = std::min(step - warmup_, falling);
  double p = falling == 0 ? 0 : static_cast<double>(done) / static_cast<double>(falling);
  switch (shape_) {
    case Shape::kConstant:
      return peak_;
    case Shape::kLinear:
      return peak_ * (1 - (1 - final_) * p);
    case Shape::kCosine:
      return peak_ * (final_ + (1 - final_) * 0.5 * (1 + std::cos(std::numbers::pi * p)));
  }
  throw Error(TENON_E_INTERNAL, "no such schedule");
}

namespace {

// Checks that a tensor is what the kernels take: fp32, contiguous, in host memory.
float* data_of(const DLTensor* t, const char* name, const char* what) {
  auto fail = [&](const std::string& why) {
    throw Error(TENON_E_UNSUPPORTED, std::string("parameter ") + name + ": its " + what + " " + why);
  };
  if (t == nullptr) fail("is missing");
  if (t->device.device_type != kDLCPU) fail("is not in host memory; this optimizer runs on the CPU");
  if (t->dtype.code != kDLFloat || t->dtype.bits != 32 || t->dtype.lanes != 1) fail("is not fp32");
  int64_t stride = 1;
  for (int32_t d = t->ndim; d-- > 0;) {
    if (t->strides != nullptr && t->shape[d] > 1 && t->strides[d] != stride) fail("is not contiguous");
    stride *= t->shape[d];
  }
  return reinterpret_cast<float*>(static_cast<char*>(t->data) + t->byte_offset);
}

}  // namespace

OptimizerBase::OptimizerBase(Host host) : host_(host), schedule_(host), clip_(host.f64("clip")) {
  executor_ = {sizeof executor_,
               0,
               &host_,
               [](void* ctx, uint64_t n, uint64_t grain, void (*fn)(void*, uint64_t, uint64_t), void* arg) {
                 const tenon_host* h = static_cast<Host*>(ctx)->raw();
                 h->parallel_for(h, n, grain, fn, arg);
               },
               std::max(1u, host.threads()),
               0};
}

void OptimizerBase::check(Host host, Findings& findings) {
  if (host.str("schedule") == "constant")
    findings.no_effect("final", "with schedule: constant the learning rate does not fall");
}

void OptimizerBase::bind(std::span<const tenon_param* const> params, uint64_t total_steps) {
  if (bound_) throw Error(TENON_E_STATE, "this optimizer is bound already");
  schedule_.set_length(total_steps);
  for (const tenon_param* p : params) {
    if ((p->flags & TENON_P_FROZEN) != 0) continue;
    std::vector<int64_t> shape(p->value->shape, p->value->shape + p->value->ndim);
    uint64_t size = 1;
    for (int64_t n : shape) size *= static_cast<uint64_t>(n);
    parameters_.push_back({p->name, shape, size, data_of(p->value, p->name, "value"),
                           data_of(p->grad, p->name, "gradient"), (p->flags & TENON_P_MATRIX) != 0});
  }
  if (parameters_.empty()) throw Error(TENON_E_INVALID, "the model has no trainable parameter");
  for (size_t c = 0; c < columns_.size(); ++c)
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Parameter& p = parameters_[i];
      const bool has_it = columns_[c].of == Of::kAll || (columns_[c].of == Of::kMatrices) == p.matrix;
      columns_[c].values.emplace_back(has_it ? p.size : 0, 0.0f);
      if (has_it) tensors_.push_back({columns_[c].prefix + "/" + p.name, c, i});
    }
  bound_ = true;
}

size_t OptimizerBase::add_state(const char* prefix, Of of) {
  columns_.push_back({prefix, of, {}});
  return columns_.size() - 1;
}

double OptimizerBase::global_norm() const {
  double sum = 0;
  for (const Parameter& p : parameters_) {
    double squares = tenon_sum_of_squares(&executor_, p.size, p.grad);
    if (!std::isfinite(squares)) report_not_finite(p);
    sum += squares;
  }
  return std::sqrt(sum);
}

void OptimizerBase::report_not_finite(const Parameter& p) const {
  uint64_t first = 0, bad = 0;
  for (uint64_t i = p.size; i-- > 0;)
    if (!std::isfinite(p.grad[i])) first = i, ++bad;
  throw Error(TENON_E_INVALID,
              "the gradient of parameter " + p.name + " is not finite at optimizer step " +
                  std::to_string(steps_ + 1) + ": " + std::to_string(bad) + " of " + std::to_string(p.size) +
                  " numbers, the first at index " + std::to_string(first) + " (" +
                  std::to_string(p.grad[first]) +
                  "). No parameter was changed. Lower the learning rate, or look at this step's samples");
}

OptimizerBase::Step OptimizerBase::begin_step(tenon_optimizer_stats& stats) {
  if (!bound_) throw Error(TENON_E_STATE, "the optimizer is not bound to parameters");
  double norm = global_norm();
  double scale = clip_ > 0 ? std::min(1.0, clip_ / (norm + 1e-6)) : 1.0;
  Step step{steps_ + 1, schedule_.learning_rate(steps_), norm, scale};
  ++steps_;
  stats.grad_norm = norm;
  stats.learning_rate = step.learning_rate;
  return step;
}

void OptimizerBase::save(Writer& out) const {
  out.value<uint64_t>(steps_);
}

void OptimizerBase::load(Reader& in, uint32_t version) {
  if (version != 1)
    throw Error(TENON_E_INVALID, "the optimizer's state has version " + std::to_string(version) +
                                     "; this plugin reads version 1");
  steps_ = in.value<uint64_t>();
}

void OptimizerBase::tensor(uint64_t i, const char** name, DLTensor* view) {
  if (!bound_) throw Error(TENON_E_STATE, "the optimizer is not bound to parameters");
  const StateTensor& t = tensors_[i];
  Parameter& p = parameters_[t.parameter];
  *name = t.name.c_str();
  *view = DLTensor{state(t.column, t.parameter),
                   {kDLCPU, 0},
                   static_cast<int32_t>(p.shape.size()),
                   {kDLFloat, 32, 1},
                   p.shape.data(),
                   nullptr,
                   0};
}

const tenon_state_tensors* OptimizerBase::state_tensors() {
  static constexpr tenon_state_tensors kTable{
      sizeof(tenon_state_tensors), 0,
      [](void* self) -> uint64_t { return static_cast<OptimizerBase*>(self)->tensors_.size(); },
      [](void* self, uint64_t i, const char** name, DLTensor* view, tenon_error* err) -> int32_t {
        return guard(err, [&] {
          auto& o = *static_cast<OptimizerBase*>(self);
          if (i >= o.tensors_.size()) throw Error(TENON_E_INVALID, "no state tensor " + std::to_string(i));
          o.tensor(i, name, view);
        });
      }};
  return &kTable;
}

const tenon_schedule* OptimizerBase::schedule() {
  static constexpr tenon_schedule kTable{
      sizeof(tenon_schedule), 0, [](void* self, uint64_t total_steps, tenon_error* err) -> int32_t {
        return guard(err, [&] { static_cast<OptimizerBase*>(self)->schedule_.check_length(total_steps); });
      }};
  return &kTable;
}

const void* OptimizerBase::extension(std::string_view id) {
  if (id == TENON_EXT_STATE_TENSORS) return state_tensors();
  return id == TENON_EXT_SCHEDULE ? schedule() : nullptr;
}

}  // namespace tenon::optimizer_support
