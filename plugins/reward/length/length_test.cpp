// The penalty at, before and behind each of its bounds.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using Options = std::map<std::string, std::string>;

// Rewards of completions of so many tokens; NaN where it is not OK.
std::vector<double> rewards_of(const Options& options, const std::vector<uint64_t>& lengths) {
  tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  tenon::Ragged<char> texts;
  tenon::Ragged<int32_t> tokens;
  std::vector<uint64_t> id;
  for (uint64_t n : lengths) {
    texts.push(std::string_view("{}"));
    tokens.push(std::vector<int32_t>(n, 1));
    id.push_back(id.size());
  }
  std::vector<double> out(lengths.size(), std::nan(""));
  std::vector<int32_t> status(lengths.size(), TENON_R_UNSET);
  tenon_reward_in in{sizeof in,   0,           lengths.size(), id.data(),    id.data(),
                     texts.raw(), texts.raw(), texts.raw(),    tokens.raw(), nullptr};
  tenon_reward_out to{sizeof to, 0, out.data(), status.data(), nullptr, nullptr, nullptr, nullptr};
  tenon::ErrorBuffer err;
  err.check(reward.vt->score(reward.self, nullptr, &in, &to, err));
  for (size_t i = 0; i < out.size(); ++i)
    if (status[i] != TENON_R_OK) out[i] = std::nan("");
  return out;
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

}  // namespace
