// Reward `length`: a soft penalty for completions that come near the longest one allowed.
// SPDX-License-Identifier: Apache-2.0
//
// Yu et al., DAPO, arXiv 2503.14476, eq. 13, for a completion y of |y| tokens, the sampled end token included:
//
//   R = 0                                       |y| <= limit − buffer
//   R = ((limit − buffer) − |y|) / buffer       limit − buffer < |y| <= limit
//   R = −1                                      |y| > limit
//
// The paper adds it to the reward of the answer (weight 1): limit 20,480, buffer 4,096.

#include "tenon/reward.hpp"

namespace {

class Length {
 public:
  static constexpr const char* kDoc =
      "DAPO (arXiv 2503.14476) eq. 13: 0 up to limit − buffer tokens, then falling to −1 at limit. limit is "
      "the "
      "stage's max_new_tokens; give it a weight beside the reward of the answer.";

  explicit Length(tenon::Host host)
      : limit_(static_cast<double>(host.i64("limit"))), buffer_(static_cast<double>(host.i64("buffer"))) {}

  static void check(tenon::Host host, tenon::Findings& findings) {
    if (host.i64("buffer") > host.i64("limit"))
      findings.error("buffer", "is longer than limit = " + std::to_string(host.i64("limit")) +
                                   ": completions of every length would be punished");
  }

  double operator()(const tenon::Sample& sample) const {
    if (sample.tokens.empty()) tenon::refuse("the stage gave no tokens to count");
    const double over = static_cast<double>(sample.tokens.size()) - (limit_ - buffer_);
    return over <= 0 ? 0 : over >= buffer_ ? -1 : -over / buffer_;
  }

 private:
  double limit_, buffer_;
};

}  // namespace

TENON_REWARD_PLUGIN(
    Length, "length", "1.0.0", "A soft penalty for completions near the length limit (DAPO).",
    tenon::integer("limit", nullptr,
                   "The longest completion without the whole penalty: the stage's max_new_tokens.",
                   {.min = "1", .max = "16777216", .unit = "tokens", .flags = TENON_O_REQUIRED}),
    tenon::integer("buffer", nullptr, "So many tokens before the limit the penalty begins.",
                   {.min = "1", .max = "16777216", .unit = "tokens", .flags = TENON_O_REQUIRED}))
