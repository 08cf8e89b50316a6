// Importance weights, per-reward normalisation and the KL controller against their formulas.
// SPDX-License-Identifier: Apache-2.0
#include "importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kl_controller.h"
#include "normalize.h"

namespace tenon::rl {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

auto near(double x) {
  return DoubleNear(x, 1e-12);
}

// One prompt token and three completion tokens, the third masked out: log w = ln 2, ln ½ · 4 = −ln 8 (both exact in float), masked.
Rollout three_tokens(float first, float second) {
  Rollout r;
  const int32_t prompt[] = {1}, completion[] = {2, 2, 2};
  const float lp[] = {-2, -3, -1};
  r.push(prompt, completion, lp, 0, 7, TENON_FINISH_STOP);
  r.mask[3] = 0;
  r.lp_old = r.lp_sample;
  r.lp_old[1] += first, r.lp_old[2] += second;
  r.lp_old[3] = std::nanf("");
  return r;
}
Importance how(const char* name, double least, double most) {
  Importance i = read_importance(name);
  i.min = least, i.max = most;
  return i;
}

TEST(Importance, LevelsAndBounds) {
  const double a = std::exp(0.5), b = std::exp(-1.5), product = std::exp(-1.0), mean = std::exp(-0.5);
  const Rollout r = three_tokens(0.5f, -1.5f);
  auto weights = [&](const char* name, double least, double most) {
    return importance_weights(r, how(name, least, most)).weight;
  };
  EXPECT_THAT(weights("none", 0, 2), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(weights("token-truncate", 0, 2), ElementsAre(1, near(a), near(b), 1));
  EXPECT_THAT(weights("token-truncate", 0.5, 1.25), ElementsAre(1, 1.25, near(b), 1)) << "small ones stay";
  EXPECT_THAT(weights("token-mask", 0.5, 2), ElementsAre(1, near(a), 0, 1));
  EXPECT_THAT(weights("token-mask", 0, 1.25), ElementsAre(1, 0, near(b), 1));
  EXPECT_THAT(weights("sequence-truncate", 0, 2), ElementsAre(1, near(product), near(product), 1));
  EXPECT_THAT(weights("sequence-mask", 0.5, 2), ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(weights("geometric-truncate", 0, 2), ElementsAre(1, near(mean), near(mean), 1));
  EXPECT_THAT(weights("geometric-mask", 0.6, 2), ElementsAre(1, near(mean), near(mean), 1));
  EXPECT_THAT(weights("geometric-mask", 0.7, 2), ElementsAre(1, 0, 0, 1));

  const ImportanceWeights w = importance_weights(r, how("token-mask", 0.5, 2));
  EXPECT_DOUBLE_EQ(w.least, b);
  EXPECT_DOUBLE_EQ(w.most, a);
  EXPECT_DOUBLE_EQ(w.sum / w.count, (a + b) / 2);
  EXPECT_EQ(w.bounded, 1);
}

TEST(Importance, OfOneEngineIsExactlyOne) {
  const Rollout r = three_tokens(0, 0);
  for (const char* name : {"token-truncate", "token-mask", "sequence-truncate", "sequence-mask",
                           "geometric-truncate", "geometric-mask"})
    EXPECT_THAT(importance_weights(r, how(name, 1, 1)).weight, ElementsAre(1, 1, 1, 1)) << name;
}

TEST(Importance, InvalidSequencesAreLeftAloneAndNaNIsAnError) {
  Rollout r = three_tokens(0.5f, std::nanf(""));
  EXPECT_THROW(importance_weights(r, how("token-truncate", 0, 2)), Error);
  r.valid[0] = 0;
  EXPECT_THAT(importance_weights(r, how("token-truncate", 0, 2)).weight, ElementsAre(1, 1, 1, 1));
}

// GDPO's example of its introduction: with the sum of rewards (0, 2) and (0, 1) look alike; normalised apart they do not.
TEST(NormalizeRewards, EachRewardAndEachGroupForItself) {
  Rollout r;
  const int32_t token = 1;
  const float lp = -1;
  for (uint64_t i = 0; i < 7; ++i)
    r.push({&token, 1}, {&token, 1}, {&lp, 1}, i < 4 ? 10 : 11, i, TENON_FINISH_STOP);
  r.valid[6] = 0;
  const double none = std::nan("");
  const std::vector<double> correct{1, 0, 0, 1, 1, 0, none}, length{1000, 3000, 2000, 2000, 5, none, none};
  normalize_rewards(r, std::vector<std::vector<double>>{correct, length}, std::vector<SumTerm>{{1}, {0.5}});
  const double a = 0.5 / (std::sqrt(1.0 / 3) + 1e-4), b = 1000 / (std::sqrt(2e6 / 3) + 1e-4),
               c = 0.5 / (std::sqrt(0.5) + 1e-4);
  EXPECT_THAT(r.reward,
              ElementsAre(near(a - 0.5 * b), near(-a + 0.5 * b), near(-a), near(a), near(c), near(-c), 0))
      << "the only length of the second group says nothing";
}

// What does not count has a place in the group's mean, as 0, and no share in what is learnt.
TEST(NormalizeRewards, OneThatAnotherLeavesNothingIsZero) {
  Rollout r;
  const int32_t token = 1;
  const float lp = -1;
  for (uint64_t i = 0; i < 4; ++i) r.push({&token, 1}, {&token, 1}, {&lp, 1}, 7, i, TENON_FINISH_STOP);
  const std::vector<double> never{0, 0, 0, 0}, correct{1, 1, 0, 0}, style{5, 3, 9, std::nan("")};
  const auto normalized = [&](const std::vector<double>& gate, double above) {
    normalize_rewards(r, std::vector<std::vector<double>>{gate, style},
                      std::vector<SumTerm>{{0}, {1, 0, above}});
    return r.reward;
  };
  EXPECT_THAT(normalized(never, 0), ElementsAre(0, 0, 0, 0));
  const double mean = 8.0 / 3,
               deviation = std::sqrt((25 + 9 - 3 * mean * mean) / 2) + 1e-4;  // of 5, 3 and 0
  EXPECT_THAT(normalized(correct, 0), ElementsAre(near((5 - mean) / deviation), near((3 - mean) / deviation),
                                                  near(-mean / deviation), 0));
  EXPECT_THAT(normalized(correct, 1), ElementsAre(0, 0, 0, 0)) << "nothing above the bound";
}

TEST(NormalizeRewards, ThatCancelLeaveNothing) {
  Rollout r;
  const int32_t token = 1;
  const float lp = -1;
  for (uint64_t i = 0; i < 4; ++i) r.push({&token, 1}, {&token, 1}, {&lp, 1}, 7, i, TENON_FINISH_STOP);
  const std::vector<double> up{0.3, 0.7, 0.3, 0.7},
      down{0.9, 0.5, 0.9, 0.5};  // 0.7 − 0.3 and 0.9 − 0.5 round apart
  normalize_rewards(r, std::vector<std::vector<double>>{up, down}, std::vector<SumTerm>{{1}, {1}});
  EXPECT_THAT(r.reward, ElementsAre(0, 0, 0, 0));
}

TEST(KlController, FollowsItsFormula) {
  KlController c(0.1, 1000);
  c.update(0.11, 50);  // 10 % above the target
  EXPECT_DOUBLE_EQ(c.scale(), 1 + 0.1 * 50 / 1000 + (0.11 / 0.1 - 1 - 0.1) * 50 / 1000);
  c.set_scale(1);
  c.update(7, 50);
  EXPECT_DOUBLE_EQ(c.scale(), 1 + 0.2 * 50 / 1000);
  c.set_scale(1);
  c.update(-1, 50);
  EXPECT_DOUBLE_EQ(c.scale(), 1 - 0.2 * 50 / 1000);
}

}  // namespace
}  // namespace tenon::rl
