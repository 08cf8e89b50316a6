// The KL controller: the weight of the divergence from the reference, steered towards a target.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace tenon::rl {

// Ziegler et al., "Fine-Tuning Language Models from Human Preferences", arXiv 1909.08593, 2.2: after a rollout of n sequences with the mean
// divergence kl, the factor of β is multiplied by 1 + clip(kl / target − 1, −0.2, 0.2) · n / horizon. It stays above 0 for n <= horizon.
class KlController {
 public:
  KlController(double target, double horizon) : target_(target), horizon_(horizon) {}
  double scale() const { return scale_; }
  void set_scale(double scale) { scale_ = scale; }
  void update(double kl, double n) { scale_ *= 1 + std::clamp(kl / target_ - 1, -0.2, 0.2) * n / horizon_; }

 private:
  double target_, horizon_, scale_ = 1;
};

}  // namespace tenon::rl
