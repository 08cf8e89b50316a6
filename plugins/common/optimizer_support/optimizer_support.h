// What optimizers share: the options, binding to parameters, the learning rate of a step, clipping by the
// global norm, and state.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tenon/kernels/executor.h"
#include "tenon/plugin.hpp"

namespace tenon::optimizer_support {

inline constexpr const char* kSchedules[] = {"constant", "linear", "cosine", nullptr};
inline constexpr tenon_option kLearningRate =
    number("learning_rate", nullptr, "The highest learning rate, reached after the warm-up.",
           {.min = "0", .flags = TENON_O_REQUIRED});
inline constexpr tenon_option kSchedule =
    choice("schedule", kSchedules, "\"constant\"",
           "How the learning rate falls from there to `final` × learning_rate at the stage's last step.");
inline constexpr tenon_option kWarmup = integer(
    "warmup", "0",
    "Steps over which the learning rate rises linearly; step s of them (from 1) has s / warmup of it.",
    {.min = "0", .unit = "steps"});
inline constexpr tenon_option kFinal =
    number("final", "0", "Of schedule: linear and cosine. The share of learning_rate at the last step.",
           {.min = "0", .max = "1"});
inline constexpr tenon_option kClip = number(
    "clip", "1", "Largest global norm of the gradient; a longer one is scaled down to it. 0: no clipping.",
    {.min = "0"});
inline constexpr tenon_option kWeightDecay =
    number("weight_decay", "0", "Of hidden matrices only; embeddings, norms and biases are not decayed.",
           {.min = "0"});

// lr(s) for s = 0 … total − 1: learning_rate · (s + 1) / warmup while s < warmup, then, with p = (s − warmup)
// / (total − warmup − 1), linear 1 − (1 − final) p, cosine final + (1 − final)(1 + cos πp)/2. After the last
// step it stays where it ended.
class Schedule {
 public:
  // rate: the option that has the highest learning rate.
  explicit Schedule(const Host& host, const char* rate = "learning_rate");
  // Throws where the warm-up takes all of total_steps.
  void check_length(uint64_t total_steps) const;
  // Checks and fixes the length.
  void set_length(uint64_t total_steps);
  double learning_rate(uint64_t step) const;

 private:
  enum class Shape { kConstant, kLinear, kCosine };
  Shape shape_;
  double peak_, final_;
  uint64_t warmup_, total_ = 0;
};

// One trainable parameter, borrowed from its model.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  uint64_t size;  // numbers
  float* value;
  float* grad;
  bool matrix;  // TENON_P_MATRIX: weight decay applies
};

// Which parameters have a column of state.
enum class Of { kAll, kMatrices, kOthers };

// A column of state per parameter ("m", "v"), zero at first, in the order and shape of the parameters.
struct StateColumn {
  std::string prefix;  // tensors are called "<prefix>/<parameter>"
  Of of;
  std::vector<std::vector<float>> values;  // empty for a parameter that has none
};

// The part of an optimizer that is the same in all. The derived class calls begin_step, updates each of
// parameters(), and that is a step.
class OptimizerBase {
 public:
  explicit OptimizerBase(Host host);
  // Rules between the options of the schedule. An optimizer with a `check` of its own calls it there.
  static void check(Host host, Findings& findings);
  OptimizerBase(const OptimizerBase&) = delete;
  OptimizerBase& operator=(const OptimizerBase&) = delete;

  void bind(std::span<const tenon_param* const> params, uint64_t total_steps);
  void save(Writer& out) const;
  void load(Reader& in, uint32_t version);
  const void* extension(std::string_view id);

 protected:
  struct Step {
    uint64_t number;  // 1 at the first
    double learning_rate, grad_norm, grad_scale;
  };
  // Throws, changing nothing, if the gradient's norm is not finite. grad_scale is as
  // torch.nn.utils.clip_grad_norm_'s: min(1, clip / (norm + 1e-6)).
  Step begin_step(tenon_optimizer_stats& stats);
  // Adds a column of state, and returns its number for state(). Before bind.
  size_t add_state(const char* prefix, Of of = Of::kAll);
  float* state(size_t column, size_t parameter) { return columns_[column].values[parameter].data(); }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const tenon_executor* executor() const { return &executor_; }

 private:
  double global_norm() const;
  [[noreturn]] void report_not_finite(const Parameter& p) const;
  void tensor(uint64_t i, const char** name, DLTensor* view);
  static const tenon_state_tensors* state_tensors();
  static const tenon_schedule* schedule();

  Host host_;
  Schedule schedule_;
  double clip_;
  bool bound_ = false;
  uint64_t steps_ = 0;
  std::vector<Parameter> parameters_;
  std::vector<StateColumn> columns_;
  struct StateTensor {
    std::string name;
    size_t column, parameter;
  };
  std::vector<StateTensor> tensors_;
  tenon_executor executor_{};
};

}  // namespace tenon::optimizer_support
