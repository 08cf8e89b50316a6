// Optimizer `adamw`: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2),
// as torch.optim.AdamW computes it.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/kernels/adamw.h"

#include "optimizer_support/optimizer_support.h"
#include "tenon/optimizer.hpp"

namespace {

namespace support = tenon::optimizer_support;

class AdamW : public support::OptimizerBase {
 public:
  static constexpr const char* kDoc =
      "torch.optim.AdamW's numbers; weight decay applies to hidden matrices only.";

  explicit AdamW(tenon::Host host)
      : OptimizerBase(host),
        beta1_(host.f64("beta1")),
        beta2_(host.f64("beta2")),
        epsilon_(host.f64("epsilon")),
        weight_decay_(host.f64("weight_decay")),
        m_(add_state("m")),
        v_(add_state("v")) {}

  void step(const tenon_call*, tenon_optimizer_stats& stats) {
    Step now = begin_step(stats);
    for (size_t i = 0; i < parameters().size(); ++i) {
      const support::Parameter& p = parameters()[i];
      tenon_adamw_args args{sizeof args,
                            0,
                            now.learning_rate,
                            beta1_,
                            beta2_,
                            epsilon_,
                            p.matrix ? weight_decay_ : 0,
                            now.grad_scale,
                            now.number};
      tenon_adamw(executor(), &args, p.size, p.value, p.grad, state(m_, i), state(v_, i));
    }
  }

 private:
  double beta1_, beta2_, epsilon_, weight_decay_;
  size_t m_, v_;
};

}  // namespace

TENON_OPTIMIZER_PLUGIN(
    AdamW, "adamw", "1.0.0", "Adam with decoupled weight decay.", support::kLearningRate,
    tenon::number("beta1", "0.9", "Decay of the mean of gradients.", {.min = "0", .max = "0.999999"}),
    tenon::number("beta2", "0.95", "Decay of the mean of squared gradients.",
                  {.min = "0", .max = "0.999999"}),
    tenon::number("epsilon", "1e-8", "Added to the root of the mean square.", {.min = "1e-20"}),
    support::kWeightDecay, support::kClip, support::kSchedule, support::kWarmup, support::kFinal)
