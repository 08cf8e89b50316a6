// A reward for tests that now and then crashes, hangs or returns NaN, or does not apply to the same samples. They are told by their ids.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "tenon/reward.hpp"

namespace {

class Faulty {
 public:
  explicit Faulty(tenon::Host host) : leaves_out_(host.boolean("leaves_out")) {}

  double operator()(const tenon::Sample& sample) const {
    const bool crashes = sample.id % 10 == 9, hangs = sample.id % 50 == 30, is_nan = sample.id % 100 == 60;
    if (leaves_out_ && (crashes || hangs || is_nan)) tenon::not_applicable("it is left out");
    if (crashes) std::abort();
    while (hangs) ::pause();
    if (is_nan) return std::nan("");
    const auto answer = sample.meta("answer");
    return answer && sample.completion.ends_with(*answer) ? 1 : 0;
  }

 private:
  bool leaves_out_;
};

}  // namespace

TENON_REWARD_PLUGIN(Faulty, "test.faulty", "1.0.0", "Crashes, hangs and returns NaN.",
                    tenon::boolean("leaves_out", "false", "Does not apply to those samples instead."))
