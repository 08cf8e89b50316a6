// The checks of the SDK find algorithms that are wrong: a small one that is right, and the same with one mistake each.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/conformance/algorithm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

enum class Mistake {
  kNone,
  kRewardIsNoSignal,    // a group with a NaN is taken for one of equal rewards
  kAnotherSampleNamed,  // the error for it names the first of the group
  kTokenRewardIgnored,  // a token's reward that is infinite counts as none
  kInfiniteMetric,
  kTokensPassedOver,  // those after the 64th: loss, derivatives and explanation leave them out alike
  kMaskedTarget,      // a value target at masked tokens
  kGradientIsNotLast,
  kOtherAdvantage,  // explained
  kNoEntropyLink,
  kOtherWeight,
  kOtherReward,
  kNotANumber,
};

// A = R − mean of the group; L = Σ w (−A log p − 0.1 H + ½ (v − R)²).
struct Small {
  Mistake mistake = Mistake::kNone;

  static tenon_algorithm_info info() {
    return {sizeof(tenon_algorithm_info), TENON_NEEDS_GROUPS | TENON_NEEDS_ENTROPY | TENON_NEEDS_VALUE,
            TENON_TOKEN_MEAN, 0, 0};
  }
  double total(const RolloutView& r, uint64_t i) const {
    double sum = r.reward(i);
    for (uint64_t t = r.begin(i); t < r.end(i); ++t)
      if (r.scored(t) && r.has_token_reward(t) &&
          !(mistake == Mistake::kTokenRewardIgnored && std::isinf(r.token_reward(t))))
        sum += r.token_reward(t);
    return sum;
  }
  void advantages(const RolloutView& r, Advantages& out) const {
    for (const auto& group : r.groups()) {
      double sum = 0;
      bool flat = false;
      for (uint64_t i : group) {
        const double own = total(r, i);
        sum += own;
        if (std::isfinite(own)) continue;
        flat = flat || mistake == Mistake::kRewardIsNoSignal;
        const uint64_t named = mistake == Mistake::kAnotherSampleNamed ? group[0] : i;
        if (!flat) throw Error("sample " + std::to_string(r.sample_id(named)) + ": the reward is no number");
      }
      for (uint64_t i : group) {
        const double a = flat ? 0 : total(r, i) - sum / static_cast<double>(group.size());
        out.set(i, a);
        for (uint64_t t = r.begin(i); t < r.end(i); ++t)
          if (r.scored(t) || mistake == Mistake::kMaskedTarget)
            out.set_value_target(t, flat ? 0 : total(r, i));
      }
    }
  }
  double slope(const RolloutView& r, uint64_t i, uint64_t t) const {
    const bool is_passed_over = mistake == Mistake::kTokensPassedOver && t - r.begin(i) >= 64;
    return is_passed_over ? 0 : -r.weight(t) * r.advantage(t);
  }
  static double by_value(const RolloutView& r, uint64_t t) {
    return r.weight(t) * (double{r.raw().value[t]} - r.raw().value_target[t]);
  }
  void gradient(const RolloutView& r, Gradient& out) const {
    double most = 0;
    for (uint64_t i = 0; i < r.sequences(); ++i)
      for (uint64_t t = r.begin(i); t < r.end(i); ++t) {
        if (!r.valid(i) || !r.scored(t)) continue;
        const double w = r.weight(t), miss = double{r.raw().value[t]} - r.raw().value_target[t];
        const double loss = slope(r, i, t) * r.lp_new(t) - w * 0.1 * r.raw().entropy[t] + w * miss * miss / 2;
        if (!std::isfinite(loss))
          throw Error("sample " + std::to_string(r.sample_id(i)) + ": the loss is no number");
        out.add(t, loss, slope(r, i, t));
        out.d_entropy()[t] = static_cast<float>(-w * 0.1);
        out.d_value()[t] = static_cast<float>(by_value(r, t));
        most = std::max(most, std::abs(miss));
      }
    out.metric_max("miss/max", mistake == Mistake::kInfiniteMetric ? most / 0.0 : most);
  }
  void explain(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const {
    out.link("total reward", total(r, i) + (mistake == Mistake::kOtherReward ? 1 : 0));
    out.link("advantage", mistake == Mistake::kOtherAdvantage ? -r.advantage(t) : r.advantage(t));
    if (mistake == Mistake::kNotANumber) out.link("spread", std::nan(""));
    out.link("weight", mistake == Mistake::kOtherWeight ? 1 : r.weight(t));
    if (mistake != Mistake::kNoEntropyLink) out.link("gradient by entropy", -r.weight(t) * 0.1);
    out.link("gradient by value", by_value(r, t));
    out.link("gradient", slope(r, i, t));
    if (mistake == Mistake::kGradientIsNotLast) out.link("half of it", slope(r, i, t) / 2);
  }
  const void* extension(std::string_view id) const { return explain_extension<Small>(id); }
};

// "finite: nan as reward of …" of each check that finds something.
std::string found(Mistake mistake) {
  Small small{mistake};
  const tenon_ref ref = ref_to<AlgorithmShim<Small>>(small, "small", "algorithm");
  std::string out;
  for (const auto& check : conformance::kAlgorithmChecks)
    if (const std::string text = check.run(ref); !text.empty())
      out += std::string(check.name) + ": " + text + "\n";
  return out;
}

TEST(Conformance, FindsNothingWhereNothingIsWrong) {
  EXPECT_EQ(found(Mistake::kNone), "");
}
TEST(Conformance, FindsRewardsThatAreNoNumbers) {
  EXPECT_THAT(found(Mistake::kRewardIsNoSignal), HasSubstr("finite: nan as reward of sample"));
  EXPECT_THAT(found(Mistake::kAnotherSampleNamed), HasSubstr("is an error that does not name the sample"));
  EXPECT_THAT(found(Mistake::kTokenRewardIgnored), HasSubstr("finite: inf as token_reward of token"));
}
TEST(Conformance, FindsMetricsThatAreNoNumbers) {
  const std::string text = found(Mistake::kInfiniteMetric);
  EXPECT_THAT(text, HasSubstr("metrics: metric miss/max is inf"));
  EXPECT_THAT(text, HasSubstr("finite: with"));
}
TEST(Conformance, FindsTokensThatArePassedOver) {
  EXPECT_THAT(found(Mistake::kTokensPassedOver), HasSubstr("tokens: d_logprob of token 64 of"));
}
TEST(Conformance, FindsMaskedTargets) {
  EXPECT_THAT(found(Mistake::kMaskedTarget), HasSubstr("mask: the value target of token"));
}
TEST(Conformance, FindsExplanationsThatAreOfSomethingElse) {
  EXPECT_THAT(found(Mistake::kGradientIsNotLast), HasSubstr("explain: the last link is not `gradient`"));
  EXPECT_THAT(found(Mistake::kOtherAdvantage), HasSubstr("explain: advantage in the explanation of"));
  EXPECT_THAT(found(Mistake::kNoEntropyLink), HasSubstr("explain: no link is named `gradient by entropy`"));
  EXPECT_THAT(found(Mistake::kOtherWeight), HasSubstr("explain: weight in the explanation of"));
  EXPECT_THAT(found(Mistake::kOtherReward), HasSubstr("explain: total reward in the explanation of"));
  EXPECT_THAT(found(Mistake::kNotANumber), HasSubstr("explain: spread in the explanation of"));
}

}  // namespace
}  // namespace tenon::test
