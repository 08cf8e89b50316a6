// Reinforcement learning held near the model it started from, in whole runs: the divergence is there, and micro-batches change nothing.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "small_run.h"

namespace {

namespace json = boost::json;

class Reference : public tenon::runs::SmallRun {
 protected:
  // The steps of stage zero in a run with `micro_batch_tokens`.
  std::vector<json::object> train(const std::string& micro_batch_tokens) const {
    Parts parts;
    parts.algorithm = "{use: grpo, beta: 0.1}";
    parts.zero =
        "prompts: 8, steps: 3, mini_batches: 2, epochs: 2, micro_batch_tokens: " + micro_batch_tokens;
    return SmallRun::train("micro-" + micro_batch_tokens, parts);
  }
};

TEST_F(Reference, IsTheSameInAnyMicroBatches) {
  const std::vector<json::object> whole = train("100000");
  ASSERT_EQ(whole.size(), 3u);
  for (size_t step = 0; step < whole.size(); ++step) {
    EXPECT_GT(whole[step].at("kl").to_number<double>(), 0) << "the policy has moved, step " << step;
    EXPECT_EQ(whole[step].at("rollout/logprob_diff_max").to_number<double>(), 0);
  }
  const std::vector<json::object> alone = train("1");
  ASSERT_EQ(alone.size(), whole.size());
  // A prompt that its group does not share any more is computed with other roundings.
  for (const char* name : {"kl", "loss", "grad_norm", "reward/mean"}) {
    const double expected = whole[0].at(name).to_number<double>();
    EXPECT_NEAR(alone[0].at(name).to_number<double>(), expected, 1e-5 * (1 + std::fabs(expected))) << name;
  }
}

}  // namespace
