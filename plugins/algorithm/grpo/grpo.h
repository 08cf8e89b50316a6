// Algorithm `grpo`: Group Relative Policy Optimization and its published variants.
// SPDX-License-Identifier: Apache-2.0
//
// Shao et al., DeepSeekMath, arXiv 2402.03300, eq. 3 and 4, and DeepSeek-R1, arXiv 2501.12948, eq. 1, minimised.
// advantages.cpp has Â, objective.cpp the loss L_t and its derivatives, surrogate.cpp the loss once more as the
// papers print it, presets.h their values.
//
//   L = Σ_t w_t ( L_t + β kl_t − c H_t )                     w: the host's normaliser (`aggregation`)
//
// What differs from the papers, and why:
//  - The ratio is per token by default, as in DeepSeekMath; R1 prints that of the whole completion
//    (`ratio: sequence`), whose product overflows for long answers.
//  - The papers do not say which standard deviation. `sample` (Bessel) is that of TRL, verl and OpenRLHF.
//  - `aggregation` is 1/Σ tokens by default (DAPO, arXiv 2503.14476); DeepSeekMath's is `sequence-mean`.
//  - No reference model by default (β = 0), as TRL; R1 used β = 0.001 and clip 10, DeepSeekMath β = 0.04.
#pragma once

#include <string_view>
#include <vector>

#include "algorithm_support/completion_loss.h"
#include "algorithm_support/rewards.h"
#include "presets.h"

namespace tenon::grpo {

enum class Ratio { kToken, kSequence, kGeometricMean, kGeometricMeanToken };
enum class Objective { kClip, kCispo, kGmpo };
enum class Std { kSample, kPopulation, kNone };

// What the configuration says; the meaning of each is in options.cpp.
struct Options {
  explicit Options(const Host& host);

  Ratio ratio;
  Objective objective;
  bool process;  // advantage: process
  Std std;
  double std_epsilon;
  bool batch_scale;              // scale: batch
  algorithm_support::Clip clip;  // cap: of dual_clip or delta
  double beta;
  algorithm_support::Kl kl;
  bool kl_in_reward;
  double entropy;

  bool has_kl_loss() const { return beta != 0 && !kl_in_reward; }
};

class Grpo {
 public:
  static constexpr const char* kDoc =
      "DeepSeekMath (arXiv 2402.03300) eq. 3. Its variants (dr-grpo, dapo, gspo, gspo-token, cispo, gmpo) "
      "and "
      "DeepSeek-R1's settings are presets.";
  static constexpr const auto& kPresets = grpo::kPresets;

  explicit Grpo(Host host);
  static void check(Host host, Findings& findings);
  tenon_algorithm_info info() const { return info_; }

  // Â. A group without signal (all rewards equal but for rounding, or a single valid sample) has Â = 0 exactly.
  void advantages(const RolloutView& r, Advantages& out) const;
  void gradient(const RolloutView& r, Gradient& out) const;
  // The loss with what is inside a stop-gradient taken from `frozen` (tenon_surrogate).
  double surrogate(const RolloutView& at, const RolloutView& frozen) const;
  void explain(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const;
  const void* extension(std::string_view id) const;

 private:
  // Something that earned a reward: the tokens up to t have it in their advantage.
  struct Step {
    uint64_t t;
    double reward;
  };
  // Of rewards in units of `scale`, the power of two at the largest |reward| (exact, and no finite reward
  // overflows): the first of them, the mean of all less that, and their deviation. scale 0: no signal, all rewards
  // are equal but for rounding.
  struct Moments {
    double scale = 0, origin = 0, mean = 0, deviation = 0;
  };
  std::vector<Step> steps(const RolloutView& r, uint64_t i) const;
  std::vector<double> rewards(const RolloutView& r, const std::vector<uint64_t>& group) const;
  Moments moments(const std::vector<double>& rewards, double scale) const;
  Moments batch_moments(const RolloutView& r, const std::vector<std::vector<uint64_t>>& groups) const;
  Moments group_moments(const RolloutView& r, const std::vector<uint64_t>& group, const Moments& batch) const;
  double normalised(double reward, const Moments& group, const Moments& batch) const;
  static void check_finite(const RolloutView& r, uint64_t i, double a, double reward);
  void set_process(const RolloutView& r, uint64_t i, const Moments& group, const Moments& batch,
                   Advantages& out) const;

  algorithm_support::Whole whole() const;

  void explain_reward(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const;
  void explain_loss(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const;

  Options o_;
  tenon_algorithm_info info_;
};

}  // namespace tenon::grpo
