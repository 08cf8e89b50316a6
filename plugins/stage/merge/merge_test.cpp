// Tests of the stage `merge`.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Lab {
  explicit Lab(
      const std::string& options = R"({"models": [{"of": "a", "weight": 3}, {"of": "b", "weight": 1}]})")
      : host(plugin_component(), options), io(host) {
    host.slot("model", out.ref("out"));
    host.slot("models/0", a.ref("a"));
    host.slot("models/1", b.ref("b"));
  }
  FakeHost host;
  FakeIo io;
  HashModel out{host, 5, 12, 1}, a{host, 5, 12, 2}, b{host, 5, 12, 3};
};

TEST(MergeStage, IsTheWeightedMean) {
  Lab lab;
  const std::vector<float> a = lab.a.weight, b = lab.b.weight;
  run_stage(plugin_component(), lab.host, lab.io);
  double square = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    EXPECT_FLOAT_EQ(lab.out.weight[k], 0.75f * a[k] + 0.25f * b[k]);
    square += std::pow(a[k] - lab.out.weight[k], 2) + std::pow(b[k] - lab.out.weight[k], 2);
  }
  EXPECT_EQ(lab.a.weight, a);
  EXPECT_EQ(lab.out.version, 1u);
  const size_t values = lab.out.value_weight.size();
  const double of_values = [&] {
    double sum = 0;
    for (size_t k = 0; k < values; ++k)
      sum += std::pow(lab.a.value_weight[k] - lab.out.value_weight[k], 2) +
             std::pow(lab.b.value_weight[k] - lab.out.value_weight[k], 2);
    return sum;
  }();
  EXPECT_NEAR(lab.io.steps[0].metric("distance"),
              std::sqrt((square + of_values) / (2.0 * static_cast<double>(a.size() + values))), 1e-6);
}

TEST(MergeStage, WeightsBeyondOneAreTaskArithmetic) {
  Lab lab(R"({"models": [{"of": "a", "weight": -1}, {"of": "b", "weight": 2}]})");
  run_stage(plugin_component(), lab.host, lab.io);
  for (size_t k = 0; k < lab.out.weight.size(); ++k)
    EXPECT_NEAR(lab.out.weight[k], lab.a.weight[k] + 2 * (lab.b.weight[k] - lab.a.weight[k]), 1e-6);
}

TEST(MergeStage, TheModelItselfMayBeOneOfThem) {
  Lab lab;
  lab.host.slot("models/0", lab.out.ref("out"));
  const std::vector<float> before = lab.out.weight;
  run_stage(plugin_component(), lab.host, lab.io);
  for (size_t k = 0; k < before.size(); ++k)
    EXPECT_FLOAT_EQ(lab.out.weight[k], 0.75f * before[k] + 0.25f * lab.b.weight[k]);
}

TEST(MergeStage, ModelsOfOtherShapesAreRefusedBeforeTheRun) {
  Lab lab;
  HashModel wide(lab.host, 6, 12);
  lab.host.slot("models/1", wide.ref("wide"));
  try {
    Instance(plugin_component(), lab.host);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("of wide has another name or shape"));
  }
}

TEST(MergeStage, OptionsThatGiveNoMean) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  EXPECT_THAT(findings(R"({"models": [{"of": "a"}]})"), ElementsAre(HasSubstr("two models at least")));
  EXPECT_THAT(findings(R"({"models": [{"of": "a", "weight": 1}, {"of": "b", "weight": -1}]})"),
              ElementsAre(HasSubstr("add up to 0")));
}

}  // namespace
}  // namespace tenon::test
