// Optimizer `sgd`: stochastic gradient descent, with momentum or Nesterov's, as torch.optim.SGD computes it.
// SPDX-License-Identifier: Apache-2.0
#include "optimizer_support/optimizer_support.h"
#include "tenon/kernels/adamw.h"
#include "tenon/optimizer.hpp"

namespace {

namespace support = tenon::optimizer_support;

class Sgd : public support::OptimizerBase {
 public:
  static constexpr const char* kDoc =
      "torch.optim.SGD's numbers; weight decay (coupled: added to the gradient) applies to hidden matrices "
      "only.";

  explicit Sgd(tenon::Host host)
      : OptimizerBase(host),
        momentum_(host.f64("momentum")),
        dampening_(host.f64("dampening")),
        weight_decay_(host.f64("weight_decay")),
        nesterov_(host.boolean("nesterov")) {
    if (momentum_ != 0) buffer_ = add_state("momentum");
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    OptimizerBase::check(host, findings);
    if (host.f64("momentum") == 0) {
      for (const char* option : {"nesterov", "dampening"})
        findings.no_effect(option, "with momentum: 0 there is none");
    } else if (host.boolean("nesterov") && host.f64("dampening") != 0) {
      findings.error("nesterov", "needs dampening 0");
    }
  }

  void step(const tenon_call*, tenon_optimizer_stats& stats) {
    Step now = begin_step(stats);
    for (size_t i = 0; i < parameters().size(); ++i) {
      const support::Parameter& p = parameters()[i];
      tenon_sgd_args args{sizeof args,         0,
                          now.learning_rate,   momentum_,
                          dampening_,          p.matrix ? weight_decay_ : 0,
                          now.grad_scale,      now.number,
                          nesterov_ ? 1u : 0u, 0};
      tenon_sgd(executor(), &args, p.size, p.value, p.grad, momentum_ != 0 ? state(buffer_, i) : nullptr);
    }
  }

 private:
  double momentum_, dampening_, weight_decay_;
  bool nesterov_;
  size_t buffer_ = 0;
};

}  // namespace

TENON_OPTIMIZER_PLUGIN(Sgd, "sgd", "1.0.0", "Stochastic gradient descent.", support::kLearningRate,
                       tenon::number("momentum", "0", "Decay of the sum of gradients; 0: none.",
                                     {.min = "0", .max = "0.999999"}),
                       tenon::number("dampening", "0", "What of each gradient is kept out of the momentum.",
                                     {.min = "0", .max = "1"}),
                       tenon::boolean("nesterov", "false", "Whether the momentum looks one step ahead."),
                       support::kWeightDecay, support::kClip, support::kSchedule, support::kWarmup,
                       support::kFinal)
