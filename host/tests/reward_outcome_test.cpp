// What a reward's answer comes to, as a table.
// SPDX-License-Identifier: Apache-2.0
#include "host/reward_outcome.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "host/monotonic.h"

namespace tenon::host {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(RewardOutcome, OfOneSample) {
  const struct {
    int32_t code;  // of the call
    double reward;
    int32_t status;
    const char* why;
    std::vector<double> tokens;
    int32_t settled;
    const char* says;
  } kCases[] = {
      {TENON_OK, 0.5, TENON_R_OK, "equal", {}, TENON_R_OK, "equal"},
      {TENON_OK, 0.5, TENON_R_OK, "", {1, kNan, -2}, TENON_R_OK, ""},
      {TENON_END, 0.5, TENON_R_OK, "", {}, TENON_R_OK, ""},
      {TENON_OK, 0, TENON_R_NOT_APPLICABLE, "no sum", {}, TENON_R_NOT_APPLICABLE, "no sum"},
      {TENON_OK, kNan, TENON_R_REFUSED, "no gold", {kInfinity}, TENON_R_REFUSED, "no gold"},
      {TENON_OK, 1, TENON_R_TIMED_OUT, "", {}, TENON_R_TIMED_OUT, ""},
      {TENON_OK, 1, TENON_R_CRASHED, "it fell", {}, TENON_R_CRASHED, "it fell"},
      {TENON_OK, 1, TENON_R_UNSET, "", {}, TENON_R_CRASHED, "the reward left the sample unanswered"},
      {TENON_OK, 1, 77, "x", {}, TENON_R_CRASHED, "the reward gave the unknown status 77"},
      {TENON_OK, 1, -1, "", {}, TENON_R_CRASHED, "the reward gave the unknown status -1"},
      {TENON_OK, kNan, TENON_R_OK, "x", {}, TENON_R_CRASHED, "the reward is not a finite number"},
      {TENON_OK, -kInfinity, TENON_R_OK, "", {}, TENON_R_CRASHED, "the reward is not a finite number"},
      {TENON_OK,
       1,
       TENON_R_OK,
       "",
       {1, kInfinity},
       TENON_R_CRASHED,
       "the reward of a token is not a finite number"},
      {TENON_E_TIMEOUT, 1, TENON_R_OK, "x", {}, TENON_R_TIMED_OUT, "the error"},
      {TENON_E_TRANSIENT, 1, TENON_R_OK, "x", {}, TENON_R_CRASHED, "the error"},
      {TENON_E_IO, 1, TENON_R_UNSET, "", {}, TENON_R_CRASHED, "the error"},
  };
  for (const auto& c : kCases) {
    double reward = c.reward;
    int32_t status = c.status;
    std::string why = c.why;
    settle(c.code, "the error", c.tokens, reward, status, why);
    EXPECT_EQ(status, c.settled) << c.says;
    EXPECT_EQ(why, c.says);
    EXPECT_EQ(reward, c.settled == TENON_R_OK ? c.reward : 0) << c.says;
  }
}

TEST(RewardOutcome, OfAWholeCall) {
  const int64_t past = monotonic_ns() - 1, far = monotonic_ns() + int64_t{3600} * 1'000'000'000;
  EXPECT_EQ(settled_code(TENON_E_CANCELLED, past), TENON_E_TIMEOUT);
  EXPECT_EQ(settled_code(TENON_E_CANCELLED, far), TENON_E_CANCELLED);
  EXPECT_EQ(settled_code(TENON_E_CANCELLED, 0), TENON_E_CANCELLED);
  for (const int32_t code : {TENON_OK, TENON_E_TIMEOUT, TENON_E_IO, TENON_E_INVALID})
    EXPECT_EQ(settled_code(code, past), code);
  for (const int32_t code : {TENON_E_TIMEOUT, TENON_E_TRANSIENT, TENON_E_IO})
    EXPECT_TRUE(is_error_of_samples(code)) << code;
  for (const int32_t code : {TENON_OK, TENON_END, TENON_E_INVALID, TENON_E_CANCELLED, TENON_E_INTERNAL})
    EXPECT_FALSE(is_error_of_samples(code)) << code;
}

}  // namespace
}  // namespace tenon::host
