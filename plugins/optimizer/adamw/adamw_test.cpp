// Tests of AdamW: torch.optim's numbers over 100 steps, a resume that changes no bit, and gradients that must
// not be applied.
// SPDX-License-Identifier: Apache-2.0
#include "optimizer_support/optimizer_fixture.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using tenon::optimizer_support::Bound;
using Options = std::map<std::string, std::string>;

void compare(const char* name, Options options) {
  tenon::optimizer_support::compare(tenon_plugin_query_v1(nullptr), "adamw_fixture.txt", name,
                                    std::move(options));
}

TEST(AdamW, EqualsTorch) {
  compare("plain", {{"learning_rate", "1e-2"}, {"clip", "0"}});
  compare("decay", {{"learning_rate", "1e-2"},
                    {"clip", "0"},
                    {"beta2", "0.999"},
                    {"epsilon", "1e-6"},
                    {"weight_decay", "0.1"}});
  compare("all", {{"learning_rate", "3e-3"},
                  {"weight_decay", "0.1"},
                  {"schedule", "\"cosine\""},
                  {"warmup", "10"},
                  {"final", "0.1"}});
}

TEST(AdamW, ResumeContinuesToTheBit) {
  Options options = {{"learning_rate", "3e-3"}, {"schedule", "\"cosine\""}, {"warmup", "5"}};
  Bound whole(tenon_plugin_query_v1(nullptr), options, 40);
  for (int i = 0; i < 20; ++i) whole.step();
  std::string blob = whole.save();
  auto tensors = whole.tensors();
  auto values = whole.problem.values;

  Bound resumed(tenon_plugin_query_v1(nullptr), options, 40);
  for (size_t k = 0; k < values.size(); ++k)
    std::copy(values[k].begin(), values[k].end(), resumed.problem.values[k].begin());
  resumed.done = 20;
  resumed.load(blob);
  resumed.tensors(&tensors);
  for (int i = 0; i < 20; ++i) {
    auto a = whole.step(), b = resumed.step();
    EXPECT_EQ(a.learning_rate, b.learning_rate);
  }
  EXPECT_EQ(whole.problem.values, resumed.problem.values);
}

TEST(AdamW, StateTensorsAreNamedAfterParameters) {
  Bound run(tenon_plugin_query_v1(nullptr), {{"learning_rate", "1e-3"}}, 10);
  auto tensors = run.tensors();
  EXPECT_EQ(tensors.size(), 8u);
  EXPECT_EQ(tensors.at("m/p0").size(), 35u);
  EXPECT_EQ(tensors.at("v/p3").size(), 1u);
}

TEST(AdamW, AnOptionThatWouldDoNothingIsFound) {
  auto component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  EXPECT_EQ(tenon::testing::findings_of(component, {{"learning_rate", "1"}}).size(), 0u);
  EXPECT_EQ(tenon::testing::findings_of(component, {{"learning_rate", "1"}, {"final", "0"}}),
            std::vector<std::string>{"final: with schedule: constant the learning rate does not fall"});
}

TEST(AdamW, ANonFiniteGradientNamesItsParameterAndChangesNothing) {
  Bound run(tenon_plugin_query_v1(nullptr), {{"learning_rate", "1e-3"}}, 10);
  run.step();
  auto before = run.problem.values;
  auto state = run.tensors();
  std::string blob = run.save();
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    run.problem.grads[2][5] = bad;
    try {
      tenon::Optimizer(run.ref()).step(nullptr);
      FAIL();
    } catch (const tenon::Error& e) {
      EXPECT_NE(std::string(e.what()).find("p2"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("index 5"), std::string::npos) << e.what();
    }
  }
  EXPECT_EQ(run.problem.values, before);
  EXPECT_EQ(run.tensors(), state);
  EXPECT_EQ(run.save(), blob);
}

TEST(AdamW, FrozenParametersStayAndLeaveTheNorm) {
  tenon::testing::Instance<tenon_optimizer_vt> adamw(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
      {{"learning_rate", "1e-2"}, {"clip", "0"}});
  tenon::optimizer_support::Problem problem;
  problem.params_[0].flags |= TENON_P_FROZEN;
  tenon::ErrorBuffer err;
  err.check(adamw.vt->bind(adamw.self, problem.pointers.data(), 4, 10, err));
  auto before = problem.values;
  problem.set_gradients(1);
  double squares = 0;
  for (size_t k = 1; k < 4; ++k)
    for (float g : problem.grads[k]) squares += double{g} * g;
  auto stats = tenon::Optimizer(adamw.ref()).step(nullptr);
  EXPECT_NEAR(stats.grad_norm, std::sqrt(squares), 1e-12);
  EXPECT_EQ(problem.values[0], before[0]);
  EXPECT_NE(problem.values[1], before[1]);
}

}  // namespace
