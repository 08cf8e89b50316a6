// Tests of SGD: torch.optim's numbers over 100 steps, and a resume that changes no bit.
// SPDX-License-Identifier: Apache-2.0
#include "optimizer_support/optimizer_fixture.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::optimizer_support::Bound;
using Options = std::map<std::string, std::string>;

void compare(const char* name, Options options) {
  tenon::optimizer_support::compare(tenon_plugin_query_v1(nullptr), "sgd_fixture.txt", name,
                                    std::move(options));
}

TEST(Sgd, EqualsTorch) {
  compare("plain", {{"learning_rate", "1e-2"}, {"clip", "0"}});
  compare("momentum", {{"learning_rate", "1e-2"},
                       {"clip", "0"},
                       {"momentum", "0.9"},
                       {"dampening", "0.1"},
                       {"weight_decay", "0.1"}});
  compare("nesterov", {{"learning_rate", "1e-2"},
                       {"momentum", "0.9"},
                       {"nesterov", "true"},
                       {"weight_decay", "0.1"},
                       {"schedule", "\"cosine\""},
                       {"warmup", "10"},
                       {"final", "0.1"}});
}

TEST(Sgd, ResumeContinuesToTheBit) {
  Options options = {
      {"learning_rate", "1e-2"}, {"momentum", "0.9"}, {"dampening", "0.2"}, {"schedule", "\"linear\""}};
  Bound whole(tenon_plugin_query_v1(nullptr), options, 20);
  for (int i = 0; i < 10; ++i) whole.step();
  auto tensors = whole.tensors();
  Bound resumed(tenon_plugin_query_v1(nullptr), options, 20);
  for (size_t k = 0; k < 4; ++k)
    std::copy(whole.problem.values[k].begin(), whole.problem.values[k].end(),
              resumed.problem.values[k].begin());
  resumed.done = 10;
  resumed.load(whole.save());
  resumed.tensors(&tensors);
  for (int i = 0; i < 10; ++i) whole.step(), resumed.step();
  EXPECT_EQ(whole.problem.values, resumed.problem.values);
}

TEST(Sgd, WithoutMomentumThereIsNoState) {
  EXPECT_TRUE(Bound(tenon_plugin_query_v1(nullptr), {{"learning_rate", "1e-2"}}, 10).tensors().empty());
}

TEST(Sgd, OptionsThatWouldDoNothingAreFound) {
  auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  auto findings = [&](Options options) {
    options["learning_rate"] = "1";
    return tenon::testing::findings_of(component, options);
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(findings({}), Lines());
  EXPECT_EQ(findings({{"nesterov", "true"}}), Lines{"nesterov: with momentum: 0 there is none"});
  EXPECT_EQ(findings({{"dampening", "0"}}), Lines{"dampening: with momentum: 0 there is none"});
  EXPECT_EQ(findings({{"nesterov", "true"}, {"momentum", "0.9"}, {"dampening", "0.5"}}),
            Lines{"nesterov: needs dampening 0"});
  EXPECT_EQ(findings({{"final", "0.1"}}),
            Lines{"final: with schedule: constant the learning rate does not fall"});
  EXPECT_EQ(findings({{"final", "0.1"}, {"schedule", "\"linear\""}}), Lines());
}

}  // namespace
