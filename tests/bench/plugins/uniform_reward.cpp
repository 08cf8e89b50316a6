// bench.uniform: a reward that depends on the sample's number alone, so that no sequence of a bench is skipped for lack of signal.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/reward.hpp"

struct Uniform {
  explicit Uniform(tenon::Host) {}
  // Uniform in [0, 1): the golden-ratio sequence.
  double operator()(const tenon::Sample& s) const {
    double x = 0.61803398874989485 * static_cast<double>(s.id + 1);
    return x - std::floor(x);
  }
};

TENON_REWARD_PLUGIN(Uniform, "bench.uniform", "0.1.0", "A number in [0, 1) that depends on the sample's id alone; for benches.")
