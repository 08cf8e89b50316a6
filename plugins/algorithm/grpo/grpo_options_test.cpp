// Tests of GRPO's options: presets are legal, meaningless combinations are errors.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algorithm_test/rollouts.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace helpers = tenon::testing;
using Options = std::map<std::string, std::string>;

const tenon_plugin* plugin() {
  return tenon_plugin_query_v1(nullptr);
}
std::vector<std::string> findings(Options options) {
  return helpers::findings_of(helpers::component_of(plugin()), std::move(options));
}
std::string json(const std::string& text) {
  return "\"" + text + "\"";
}

// Where each value is printed: tests/algorithms/presets_test.cpp.
TEST(GrpoPresets, AreLegalAndNameTheirPaper) {
  uint64_t n = 0;
  for (auto preset = helpers::component_of(plugin())->presets; *preset != nullptr; ++preset, ++n) {
    SCOPED_TRACE((*preset)->name);
    EXPECT_THAT((*preset)->doc, HasSubstr("arXiv"));
    EXPECT_THAT(findings(helpers::preset_options(plugin(), (*preset)->name)), ElementsAre());
  }
  EXPECT_EQ(n, 8u);
}

TEST(GrpoInfo, FollowsTheOptions) {
  helpers::expect_info_follows_the_options(plugin());
  const auto needs = [](Options options) {
    return helpers::AlgorithmInstance(plugin(), std::move(options)).algorithm.info().needs;
  };
  EXPECT_EQ(needs({{"entropy", "0.1"}}), uint32_t{TENON_NEEDS_GROUPS | TENON_NEEDS_ENTROPY});
  EXPECT_EQ(needs({{"advantage", json("process")}}), uint32_t{TENON_NEEDS_GROUPS | TENON_NEEDS_TOKEN_REWARD});
  EXPECT_EQ(needs({{"beta", "0.1"}, {"kl_in", json("reward")}}),
            uint32_t{TENON_NEEDS_GROUPS | TENON_NEEDS_REFERENCE});
}

TEST(GrpoCheck, OptionsWithoutEffectAreFound) {
  EXPECT_THAT(findings({{"std", json("none")}}), ElementsAre());
  EXPECT_THAT(
      findings({{"std", json("none")}, {"std_epsilon", "1e-4"}, {"scale", json("group")}}),
      ElementsAre("std_epsilon: std: none divides by nothing", "scale: std: none divides by nothing"));
  EXPECT_THAT(findings({{"kl", json("k3")}, {"kl_in", json("loss")}}),
              ElementsAre("kl: with beta: 0 there is no divergence to estimate",
                          "kl_in: with beta: 0 there is no divergence to estimate"));
  EXPECT_THAT(findings({{"kl", json("k1")}, {"beta", "0.1"}}),
              ElementsAre(HasSubstr("warning: kl: as a loss k1 has a gradient of mean 0")));
  EXPECT_THAT(findings({{"kl", json("k2")}, {"beta", "0.1"}}), ElementsAre());
  EXPECT_THAT(findings({{"kl", json("k1")}, {"kl_in", json("reward")}, {"beta", "0.1"}}),
              ElementsAre("kl: in the reward it is k1, the log-ratio itself"));
}

TEST(GrpoCheck, MeaninglessCombinationsAreErrors) {
  const std::pair<std::string, std::string> mean{"aggregation", json("sequence-mean")};
  const struct {
    Options options;
    const char* says;
  } cases[] = {
      {{{"clip_low", "0"}}, "clip_low: clip_low is 0, but must be above 0"},
      {{{"clip_high", "0"}}, "clip_high: clip_high is 0, but must be above 0"},
      {{{"dual_clip", "1"}}, "dual_clip: dual_clip is 1, but must be above 1: "},
      {{{"delta", "1.2"}}, "delta: delta is 1.2, but must be above 1 + clip_high = 1.2"},
      {{{"delta", "4"}, {"dual_clip", "3"}}, "delta: delta and dual_clip bound the same ratios"},
      {{{"dual_clip", "3"}, {"objective", json("cispo")}},
       "dual_clip: dual_clip is a bound of objective: clip"},
      {{{"ratio", json("geometric-mean")}},
       "aggregation: ratio: geometric-mean gives each completion one ratio"},
      {{{"ratio", json("geometric-mean-token")}}, "aggregation: ratio: geometric-mean-token gives"},
      {{{"ratio", json("sequence")}}, "aggregation: ratio: sequence gives each completion one ratio"},
      {{{"ratio", json("sequence")}, {"objective", json("cispo")}, mean},
       "ratio: objective: cispo weighs each token"},
      {{{"objective", json("gmpo")}}, "ratio: objective: gmpo is about the geometric mean"},
      {{{"ratio", json("geometric-mean")}, {"advantage", json("process")}, mean},
       "advantage: ratio: geometric-mean has one term"},
      {{{"ratio", json("sequence")}, {"advantage", json("process")}, mean},
       "advantage: ratio: sequence has one term"},
      {{{"std", json("none")}, {"scale", json("batch")}},
       "scale: scale: batch divides by the batch's deviation"},
      {{{"beta", "0.1"}, {"kl_in", json("reward")}, {"advantage", json("process")}},
       "kl_in: kl_in: reward is about the reward of a completion"},
  };
  for (const auto& [options, says] : cases)
    EXPECT_THAT(findings(options), ElementsAre(testing::StartsWith(says))) << says;
  EXPECT_THAT(findings({{"clip_low", "10"}, {"clip_high", "10"}, {"delta", "12"}}), ElementsAre())
      << "DeepSeek-R1's clip is legal";
}

}  // namespace
