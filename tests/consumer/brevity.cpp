// A third party's reward: 1 for an empty completion, falling to 0 at `limit` bytes.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tenon/reward.hpp"

struct Brevity {
  explicit Brevity(tenon::Host host) : limit(host.f64("limit")) {}
  double operator()(const tenon::Sample& sample) const {
    return std::max(0.0, 1 - static_cast<double>(sample.completion.size()) / limit);
  }
  double limit;
};

TENON_REWARD_PLUGIN(Brevity, "brevity", "1.0.0", "Prefers short completions.",
                    tenon::number("limit", "400", "Length at which nothing is left.", {.min = "1", .unit = "bytes"}))
