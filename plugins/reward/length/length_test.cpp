// The penalty at, before and behind each of its bounds.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

// Right are completions that begin with "right"; "broken" has no verdict.
struct Correct {
  explicit Correct(tenon::Host) {}
  double operator()(const tenon::Sample& sample) const {
    if (sample.completion.starts_with("broken")) tenon::refuse("no gold answer");
    return sample.completion.starts_with("right") ? 1 : 0;
  }
};
constexpr tenon::OptionTable kNoOptions{};
constexpr tenon_component kCorrect =
    tenon::component<Correct, tenon::RewardShim<Correct>>("correct", "1.0.0", "", kNoOptions);

struct Outcome {
  double reward = std::nan("");
  int32_t status = TENON_R_UNSET;
  std::string why;
};

// Of completions of so many tokens that all have the same text and meta.
std::vector<Outcome> outcomes_of(const Options& options, const std::vector<uint64_t>& lengths,
                                 std::string_view text = "", std::string_view meta = "{}") {
  const tenon::testing::Instance<tenon_reward_vt> correct(&kCorrect);
  const tenon_component* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  tenon::testing::TestHost host(component, options);
  host.slot("correct", correct.ref("correct"));
  const tenon::testing::Created reward(component, host.raw());
  tenon::Ragged<char> texts, metas;
  tenon::Ragged<int32_t> tokens;
  std::vector<uint64_t> id;
  for (uint64_t n : lengths) {
    texts.push(text);
    metas.push(meta);
    tokens.push(std::vector<int32_t>(n, 1));
    id.push_back(id.size());
  }
  std::vector<double> rewards(lengths.size(), std::nan(""));
  std::vector<int32_t> status(lengths.size(), TENON_R_UNSET);
  std::vector<Outcome> out(lengths.size());
  tenon_reward_in in{sizeof in,   0,           lengths.size(), id.data(),    id.data(),
                     texts.raw(), texts.raw(), metas.raw(),    tokens.raw(), nullptr};
  tenon_reward_out to{sizeof to,
                      0,
                      rewards.data(),
                      status.data(),
                      nullptr,
                      &out,
                      [](void* ctx, uint64_t i, const char* why, uint64_t n) {
                        (*static_cast<std::vector<Outcome>*>(ctx))[i].why.assign(why, n);
                      },
                      nullptr,
                      nullptr};
  tenon::ErrorBuffer err;
  err.check(static_cast<const tenon_reward_vt*>(component->vt)->score(reward.self, nullptr, &in, &to, err));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].status = status[i];
    if (status[i] == TENON_R_OK) out[i].reward = rewards[i];
  }
  return out;
}
std::vector<double> rewards_of(const Options& options, const std::vector<uint64_t>& lengths,
                               std::string_view text = "", std::string_view meta = "{}") {
  std::vector<double> rewards;
  for (const Outcome& outcome : outcomes_of(options, lengths, text, meta)) rewards.push_back(outcome.reward);
  return rewards;
}

TEST(Length, FollowsTheEquation) {
  EXPECT_THAT(rewards_of({{"limit", "100"}, {"buffer", "20"}}, {1, 79, 80, 81, 90, 99, 100, 101, 1000}),
              testing::ElementsAre(0, 0, 0, -0.05, -0.5, -0.95, -1, -1, -1));
  EXPECT_THAT(rewards_of({{"limit", "20480"}, {"buffer", "4096"}}, {16384, 18432, 20480}),
              testing::ElementsAre(0, -0.5, -1));
}

TEST(Length, WithoutTokensThereIsNothingToCount) {
  EXPECT_TRUE(std::isnan(rewards_of({{"limit", "100"}, {"buffer", "20"}}, {0})[0]));
}

TEST(Length, TheBufferIsWithinTheLimit) {
  const auto* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"limit", "10"}, {"buffer", "11"}}),
              testing::ElementsAre(testing::HasSubstr("buffer: is longer than limit = 10")));
  EXPECT_THAT(tenon::testing::findings_of(component, Options{{"limit", "10"}, {"buffer", "10"}}),
              testing::ElementsAre());
}

const Options kCosine = {{"form", "\"cosine\""}, {"limit", "100"}, {"correct", "\"correct\""}};

TEST(Length, CosineFallsForRightAnswersAndRisesForWrongOnes) {
  using testing::DoubleNear;
  using testing::ElementsAre;
  // cos(π/4) = 0.70710678: r(25) = 1 + ½ · 1.70710678
  EXPECT_THAT(rewards_of(kCosine, {25, 50, 75, 99, 100, 150}, "right"),
              ElementsAre(DoubleNear(1.853553, 1e-6), DoubleNear(1.5, 1e-12), DoubleNear(1.146447, 1e-6),
                          DoubleNear(1.000247, 1e-6), -10, -10));
  EXPECT_THAT(
      rewards_of(kCosine, {25, 50, 75, 100}, "wrong"),
      ElementsAre(DoubleNear(-8.535534, 1e-6), DoubleNear(-5, 1e-12), DoubleNear(-1.464466, 1e-6), -10));
  Options own = kCosine;
  own["right_short"] = "1", own["right_long"] = "0.5", own["exceeded"] = "-1";
  EXPECT_THAT(rewards_of(own, {50, 100}, "right"), ElementsAre(DoubleNear(0.75, 1e-12), -1));
}

TEST(Length, WithoutAVerdictOnTheAnswerThereIsNone) {
  const Outcome outcome = outcomes_of(kCosine, {50}, "broken")[0];
  EXPECT_EQ(outcome.status, TENON_R_REFUSED);
  EXPECT_EQ(outcome.why, "correct: no gold answer");
}

TEST(Length, Target) {
  const Options target = {{"form", "\"target\""}, {"target", "1000"}};
  EXPECT_THAT(rewards_of(target, {1000, 900, 1100}),
              testing::ElementsAre(0, testing::DoubleNear(-0.03, 1e-12), testing::DoubleNear(-0.03, 1e-12)));
  const Options field = {{"form", "\"target\""}, {"target_field", "\"wanted\""}, {"alpha", "0.1"}};
  EXPECT_THAT(rewards_of(field, {10}, "", R"({"wanted":20})"), testing::ElementsAre(-1));
  EXPECT_EQ(outcomes_of(field, {10})[0].status, TENON_R_REFUSED);
  for (const char* row : {R"({"wanted":0})", R"({"wanted":-5})", R"({"wanted":null})", R"({"wanted":"ten"})",
                          R"({"wanted":"inf"})", R"({"wanted":[3]})"})
    EXPECT_EQ(outcomes_of(field, {10}, "", row)[0].status, TENON_R_REFUSED) << row;
}

TEST(Length, AtMost) {
  const Options most = {{"form", "\"at-most\""}, {"target", "1000"}, {"correct", "\"correct\""}};
  EXPECT_THAT(
      rewards_of(most, {1, 1000, 2000, 3000}, "right"),
      testing::ElementsAre(testing::DoubleNear(0.7997, 1e-12), 0.5, testing::DoubleNear(0.2, 1e-12), 0));
  EXPECT_THAT(rewards_of(most, {1, 1000}, "wrong"), testing::ElementsAre(0, 0));
}

TEST(Length, NoneIsAMetricAlone) {
  EXPECT_THAT(rewards_of({{"form", "\"none\""}}, {1, 1000}), testing::ElementsAre(0, 0));
}

TEST(Length, EachFormSaysWhatItNeeds) {
  const auto* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  auto findings = [&](Options options) { return tenon::testing::findings_of(component, std::move(options)); };
  using testing::ElementsAre;
  using testing::HasSubstr;
  EXPECT_THAT(findings({}), ElementsAre(HasSubstr("limit: is missing"), HasSubstr("buffer: is missing")));
  EXPECT_THAT(findings({{"form", "\"cosine\""}, {"limit", "10"}}),
              ElementsAre(HasSubstr("correct: is missing")));
  EXPECT_THAT(findings({{"form", "\"target\""}}),
              ElementsAre(HasSubstr("target: form: target needs one of")));
  EXPECT_THAT(findings({{"form", "\"target\""}, {"target", "5"}, {"target_field", "\"t\""}}),
              ElementsAre(HasSubstr("needs one of target and target_field")));
  EXPECT_THAT(findings({{"form", "\"none\""}, {"limit", "10"}, {"alpha", "1"}}),
              ElementsAre(HasSubstr("limit: form: none does not use it"), HasSubstr("alpha: only form")));
}

}  // namespace
