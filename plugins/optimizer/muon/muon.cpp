// Optimizer `muon`: momentum whose matrix is made orthogonal (Jordan et al., "Muon: an optimizer for hidden layers in
// neural networks", 2024), as torch.optim.Muon computes it but for bfloat16; AdamW for all other parameters.
// SPDX-License-Identifier: Apache-2.0
//
// For a hidden matrix W[rows][cols] with gradient G (clipped), at learning rate η:
//
//   M ← M + (1 − momentum) (G − M)
//   U = G + momentum (M − G)                    with nesterov, else M
//   W ← (1 − η weight_decay) W − η s orthogonalize(U)
//
//   adjust: match-rms-adamw     s = 0.2 sqrt(max(rows, cols))       Liu et al., arXiv 2502.16982, eq. 4: updates
//                               as large as AdamW's, so that its learning rate and weight decay can stay
//   adjust: original            s = sqrt(max(1, rows / cols))       Jordan's
//
// rows are outputs and cols inputs, as PyTorch stores a linear layer.

#include <cmath>

#include "optimizer_support/optimizer_support.h"
#include "orthogonalize.h"
#include "tenon/kernels/adamw.h"
#include "tenon/kernels/vector.h"
#include "tenon/optimizer.hpp"

namespace {

namespace support = tenon::optimizer_support;

constexpr const char* kRestRate = "adamw.learning_rate";

class Muon : public support::OptimizerBase {
 public:
  static constexpr const char* kDoc =
      "torch.optim.Muon's numbers, with the Newton-Schulz iteration in fp32 instead of bfloat16. Embeddings, "
      "heads, "
      "norms and biases go to AdamW.";

  explicit Muon(tenon::Host host)
      : OptimizerBase(host),
        momentum_(host.f64("momentum")),
        nesterov_(host.boolean("nesterov")),
        steps_(static_cast<uint64_t>(host.i64("ns_steps"))),
        weight_decay_(host.f64("weight_decay")),
        is_original_(host.str("adjust") == "original"),
        rest_(host, host.f64_if(kRestRate) ? kRestRate : "learning_rate"),
        beta1_(host.f64("adamw.beta1")),
        beta2_(host.f64("adamw.beta2")),
        epsilon_(host.f64("adamw.epsilon")),
        momentum_state_(add_state("momentum", support::Of::kMatrices)),
        m_(add_state("m", support::Of::kOthers)),
        v_(add_state("v", support::Of::kOthers)) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    OptimizerBase::check(host, findings);
    if (host.str("adjust") == "original" && !host.f64_if(kRestRate))
      findings.error(
          kRestRate,
          "adjust: original wants a learning rate for matrices that is far too high for AdamW: give AdamW's "
          "(1e-3, say), or use adjust: match-rms-adamw, with which one learning rate does for both");
    if (host.f64("momentum") == 0)
      findings.no_effect("nesterov", "with momentum: 0 there is nothing to look ahead with");
  }

  void bind(std::span<const tenon_param* const> params, uint64_t total_steps) {
    for (const tenon_param* p : params)
      if ((p->flags & TENON_P_MATRIX) != 0 && (p->flags & TENON_P_FROZEN) == 0 && p->value->ndim != 2)
        throw tenon::Error(TENON_E_UNSUPPORTED,
                           "parameter " + std::string(p->name) + " is a hidden matrix of " +
                               std::to_string(p->value->ndim) + " dimensions; muon takes matrices of two");
    rest_.set_length(total_steps);
    OptimizerBase::bind(params, total_steps);
  }

  void step(const tenon_call*, tenon_optimizer_stats& stats) {
    const Step now = begin_step(stats);
    for (size_t i = 0; i < parameters().size(); ++i)
      if (parameters()[i].matrix)
        update_matrix(now, i);
      else
        update_other(now, i);
  }

 private:
  void update_matrix(const Step& now, size_t i) {
    const support::Parameter& p = parameters()[i];
    const auto rows = static_cast<uint64_t>(p.shape[0]), cols = static_cast<uint64_t>(p.shape[1]);
    const auto of_gradient = static_cast<float>((1 - momentum_) * now.grad_scale);
    float* momentum = state(momentum_state_, i);
    tenon_scale(executor(), p.size, static_cast<float>(momentum_), momentum);
    tenon_axpy(executor(), p.size, of_gradient, p.grad, momentum);
    update_.assign(momentum, momentum + p.size);
    if (nesterov_) {
      tenon_scale(executor(), p.size, static_cast<float>(momentum_), update_.data());
      tenon_axpy(executor(), p.size, of_gradient, p.grad, update_.data());
    }
    orthogonalize_(executor(), steps_, rows, cols, update_.data());
    const double r = static_cast<double>(rows), c = static_cast<double>(cols);
    const double size = is_original_ ? std::sqrt(std::max(1.0, r / c)) : 0.2 * std::sqrt(std::max(r, c));
    tenon_scale(executor(), p.size, static_cast<float>(1 - now.learning_rate * weight_decay_), p.value);
    tenon_axpy(executor(), p.size, static_cast<float>(-now.learning_rate * size), update_.data(), p.value);
  }

  void update_other(const Step& now, size_t i) {
    const support::Parameter& p = parameters()[i];
    const tenon_adamw_args args{
        sizeof args,    0,         rest_.learning_rate(now.number - 1), beta1_, beta2_, epsilon_, 0,
        now.grad_scale, now.number};
    tenon_adamw(executor(), &args, p.size, p.value, p.grad, state(m_, i), state(v_, i));
  }

  double momentum_;
  bool nesterov_;
  uint64_t steps_;
  double weight_decay_;
  bool is_original_;
  support::Schedule rest_;
  double beta1_, beta2_, epsilon_;
  size_t momentum_state_, m_, v_;
  tenon::muon::Orthogonalizer orthogonalize_;
  std::vector<float> update_;
};

constexpr const char* kAdjustments[] = {"match-rms-adamw", "original", nullptr};

constexpr tenon::OptionTable kAdamW{
    tenon::number("learning_rate", nullptr,
                  "The highest; absent: that of the matrices. It has their schedule.", {.min = "0"}),
    tenon::number("beta1", "0.9", "Decay of the mean of gradients.", {.min = "0", .max = "0.999999"}),
    tenon::number("beta2", "0.95", "Decay of the mean of squared gradients.",
                  {.min = "0", .max = "0.999999"}),
    tenon::number("epsilon", "1e-8", "Added to the root of the mean square.", {.min = "1e-20"})};

}  // namespace

TENON_OPTIMIZER_PLUGIN(
    Muon, "muon", "1.0.0", "Orthogonalised momentum for hidden matrices, AdamW for the rest.",
    support::kLearningRate,
    tenon::number("momentum", "0.95", "Decay of the mean of gradients of matrices.",
                  {.min = "0", .max = "0.999999"}),
    tenon::boolean("nesterov", "true",
                   "The newest gradient counts twice, as if momentum had gone one step on."),
    tenon::integer("ns_steps", "5", "Newton-Schulz iterations that make a matrix orthogonal.",
                   {.min = "1", .max = "99"}),
    tenon::choice(
        "adjust", kAdjustments, "\"match-rms-adamw\"",
        "What a matrix's learning rate is multiplied by. match-rms-adamw: 0.2 sqrt(max(rows, cols)), with "
        "which AdamW's learning rate can stay; original: sqrt(max(1, rows / cols))."),
    tenon::object("adamw", kAdamW, "AdamW of all parameters that are not hidden matrices."),
    support::kWeightDecay, support::kClip, support::kSchedule, support::kWarmup, support::kFinal)
