// An algorithm in C++: REINFORCE (Williams 1992) with the mean reward of the group as baseline.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/algorithm.hpp"

class Reinforce {
 public:
  explicit Reinforce(tenon::Host) {}
  // The loss is the mean over the tokens of an optimizer step; a group of one would have no baseline.
  tenon_algorithm_info info() const {
    tenon_algorithm_info info{};
    info.needs = TENON_NEEDS_GROUPS;
    info.aggregation = TENON_TOKEN_MEAN;
    return info;
  }
  // A_i = r_i − mean of the group.
  void advantages(const tenon::RolloutView& r, tenon::Advantages& out) const {
    for (const std::vector<uint64_t>& group : r.groups()) {
      double sum = 0;
      for (uint64_t i : group) {
        if (!std::isfinite(r.total_reward(i)))
          throw tenon::Error("sample " + std::to_string(r.sample_id(i)) + ": the reward is not a number");
        sum += r.total_reward(i);
      }
      for (uint64_t i : group) out.set(i, r.total_reward(i) - sum / static_cast<double>(group.size()));
    }
  }
  // L = −Σ w_t A_t log p_t, so dL/d log p_t = −w_t A_t. The weight w_t has the mean in it.
  void gradient(const tenon::RolloutView& r, tenon::Gradient& out) const {
    for (uint64_t i = 0; i < r.sequences(); ++i) {
      if (!r.valid(i)) continue;
      for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
        if (!r.scored(t)) continue;
        const double slope = -r.weight(t) * r.advantage(t), loss = slope * r.lp_new(t);
        if (!std::isfinite(loss))
          throw tenon::Error("sample " + std::to_string(r.sample_id(i)) + ": the loss is not finite");
        out.add(t, loss, slope);
      }
    }
  }
};

TENON_ALGORITHM_PLUGIN(Reinforce, "example.reinforce", "1.0.0",
                       "REINFORCE with the group's mean as baseline.")
