// Algorithm `reinforce`: REINFORCE (Williams 1992), the smallest complete policy gradient.
// SPDX-License-Identifier: Apache-2.0
#include "algorithm_support/baseline.h"
#include "tenon/algorithm.hpp"

namespace support = tenon::algorithm_support;

// L = −Σ_t w_t A_i log p_t, so dL/d log p_t = −w_t A_i. The host's weight w_t is 1 / Σ tokens of the step.
class Reinforce {
 public:
  explicit Reinforce(tenon::Host host) : has_baseline_(host.str("baseline") == "group") {}

  tenon_algorithm_info info() const {
    tenon_algorithm_info info{};
    info.needs = TENON_ON_POLICY | (has_baseline_ ? TENON_NEEDS_GROUPS : 0);
    info.aggregation = TENON_TOKEN_MEAN;
    return info;
  }

  // A_i = R_i − mean of R over i's group, exactly 0 where these are equal but for rounding; without a
  // baseline A_i = R_i.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    support::check_rewards(r);
    for (const std::vector<uint64_t>& group : r.groups()) {
      std::vector<double> a;
      for (uint64_t i : group) a.push_back(r.total_reward(i));
      if (has_baseline_) a = support::less_mean(a);
      for (size_t k = 0; k < group.size(); ++k) out.set(group[k], a[k]);
    }
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    for (uint64_t i = 0; i < r.sequences(); ++i) {
      if (!r.valid(i)) continue;
      for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
        if (!r.scored(t)) continue;
        const double slope = -r.weight(t) * r.advantage(t), loss = slope * r.lp_new(t);
        if (!std::isfinite(loss) || !std::isfinite(static_cast<float>(slope)))
          throw tenon::Error("the loss is not finite at token " + std::to_string(t - r.begin(i)) +
                             " of sample " + std::to_string(r.sample_id(i)) + ": advantage " +
                             support::number_text(r.advantage(t)) + ", lp_new " +
                             support::number_text(r.lp_new(t)) + ". Lower the learning rate or the rewards");
        out.add(t, loss, slope);
      }
    }
  }

 private:
  bool has_baseline_;
};

constexpr const char* kBaselines[] = {"group", "none", nullptr};

TENON_ALGORITHM_PLUGIN(Reinforce, "reinforce", "1.0.0", "REINFORCE (Williams 1992), the smallest one.",
                       tenon::choice("baseline", kBaselines, "\"group\"",
                                     "What is taken off a reward: the mean of its group, or nothing."))
