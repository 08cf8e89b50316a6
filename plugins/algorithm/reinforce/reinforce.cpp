// Algorithm `reinforce`: REINFORCE (Williams 1992), the smallest complete policy gradient.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/algorithm.hpp"

// L = −Σ_t w_t A_i log p_t, so dL/d log p_t = −w_t A_i. The host's weight w_t is 1 / Σ tokens of the step.
class Reinforce {
 public:
  explicit Reinforce(tenon::Host host) : has_baseline_(host.str("baseline") == "group") {}

  tenon_algorithm_info info() const {
    tenon_algorithm_info info{};
    info.needs = has_baseline_ ? TENON_NEEDS_GROUPS : 0;
    info.aggregation = TENON_TOKEN_MEAN;
    return info;
  }

  // A_i = R_i − mean of R over i's group; without a baseline A_i = R_i. Relative to the first reward of the
  // group, so that equal rewards give exactly 0.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    for (const std::vector<uint64_t>& group : r.groups()) {
      const double first = has_baseline_ ? r.total_reward(group[0]) : 0;
      double sum = 0;
      for (uint64_t i : group) sum += r.total_reward(i) - first;
      const double baseline = has_baseline_ ? sum / static_cast<double>(group.size()) : 0;
      for (uint64_t i : group) out.set(i, r.total_reward(i) - first - baseline);
    }
  }

  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    for (uint64_t i = 0; i < r.sequences(); ++i) {
      if (!r.valid(i)) continue;
      for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
        if (!r.scored(t)) continue;
        const double slope = -r.weight(t) * r.advantage(t), loss = slope * r.lp_new(t);
        if (!std::isfinite(loss))
          throw tenon::Error("the loss is not finite at token " + std::to_string(t - r.begin(i)) +
                             " of sample " + std::to_string(r.sample_id(i)) +
                             ": lower the learning rate or the rewards");
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
