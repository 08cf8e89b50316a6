// Tests of what optimizers share: the learning rate of every step against closed forms, clipping, and what
// cannot be bound.
// SPDX-License-Identifier: Apache-2.0
#include "optimizer_support/optimizer_support.h"

#include <numbers>

#include "optimizer_support/optimizer_fixture.h"

namespace {

using namespace tenon::optimizer_support;
using Options = std::map<std::string, std::string>;

// The smallest optimizer: p −= lr · grad_scale · g.
class Plain : public OptimizerBase {
 public:
  explicit Plain(tenon::Host host) : OptimizerBase(host) {}
  void step(const tenon_call*, tenon_optimizer_stats& stats) {
    Step now = begin_step(stats);
    for (const Parameter& p : parameters())
      for (uint64_t i = 0; i < p.size; ++i)
        p.value[i] -= static_cast<float>(now.learning_rate * now.grad_scale * p.grad[i]);
  }
};
constexpr tenon::OptionTable kOptions{kLearningRate, kSchedule, kWarmup, kFinal, kClip};
constexpr tenon_component kPlain =
    tenon::component<Plain, tenon::OptimizerShim<Plain>>("plain", "1", "For tests.", kOptions);
constexpr const tenon_component* kComponents[] = {&kPlain, nullptr};
constexpr tenon_plugin kPlugin{sizeof(tenon_plugin),
                               TENON_ABI_LEVEL,
                               TENON_ABI_LEVEL,
                               TENON_ABI_DRAFT,
                               "plain",
                               "1",
                               "",
                               "",
                               "",
                               "",
                               nullptr,
                               kComponents};

std::vector<double> rates(Options options, uint64_t total, uint64_t steps) {
  options["learning_rate"] = "0.5";
  Bound run(&kPlugin, std::move(options), total);
  std::vector<double> out;
  for (uint64_t s = 0; s < steps; ++s) out.push_back(run.step().learning_rate);
  return out;
}

TEST(Schedule, Constant) {
  EXPECT_EQ(rates({}, 3, 4), (std::vector<double>{.5, .5, .5, .5}));
  EXPECT_EQ(rates({{"warmup", "4"}}, 6, 6), (std::vector<double>{.125, .25, .375, .5, .5, .5}));
}

TEST(Schedule, LinearEndsAtFinalOnTheLastStepAndStaysThere) {
  auto lr = rates({{"schedule", "\"linear\""}, {"warmup", "2"}, {"final", "0.2"}}, 7, 9);
  const double expected[] = {.25, .5, .5, .4, .3, .2, .1, .1, .1};
  for (size_t s = 0; s < 9; ++s) EXPECT_NEAR(lr[s], expected[s], 1e-15) << s;
}

TEST(Schedule, Cosine) {
  auto lr = rates({{"schedule", "\"cosine\""}, {"final", "0.1"}}, 21, 21);
  for (int s = 0; s < 21; ++s)
    EXPECT_NEAR(lr[s], .5 * (.1 + .9 * (1 + std::cos(std::numbers::pi * s / 20)) / 2), 1e-15) << s;
  EXPECT_NEAR(lr.back(), .05, 1e-15);
}

TEST(Schedule, OneStep) {
  EXPECT_EQ(rates({{"schedule", "\"cosine\""}}, 1, 1), (std::vector<double>{.5}));
}

TEST(Schedule, AWarmupThatTakesTheWholeStageIsAnError) {
  EXPECT_THROW(rates({{"warmup", "10"}}, 10, 1), tenon::Error);
  EXPECT_THROW(rates({}, 0, 1), tenon::Error);
}

TEST(Schedule, WhatBindWouldRefuseIsToldBeforehand) {
  const tenon::testing::Instance<tenon_optimizer_vt> optimizer(&kPlain,
                                                               {{"learning_rate", "0.5"}, {"warmup", "10"}});
  tenon_ref ref{};
  ref.struct_size = sizeof ref;
  ref.self = optimizer.self, ref.vt = optimizer.vt, ref.life = kPlain.life;
  const tenon::Optimizer handle(ref);
  EXPECT_NO_THROW(handle.check_steps(11));
  EXPECT_THROW(handle.check_steps(10), tenon::Error);
  EXPECT_THROW(handle.check_steps(0), tenon::Error);
}

TEST(Clip, ScalesToTheGlobalNorm) {
  for (auto [clip, norm] :
       std::vector<std::pair<const char*, double>>{{"0.25", 0.25}, {"1e9", 0}, {"0", 0}}) {
    Bound run(&kPlugin, {{"learning_rate", "1"}, {"clip", clip}}, 10);
    auto before = run.problem.values;
    double grad_norm = run.step().grad_norm, squares = 0;
    for (size_t k = 0; k < 4; ++k)
      for (size_t i = 0; i < before[k].size(); ++i)
        squares += std::pow(double{before[k][i]} - run.problem.values[k][i], 2);
    EXPECT_GT(grad_norm, 1);
    EXPECT_NEAR(std::sqrt(squares), norm != 0 ? norm : grad_norm, 1e-5) << clip;
  }
}

TEST(Bind, RefusesWhatItCannotUpdate) {
  Bound good(&kPlugin, {{"learning_rate", "1"}}, 10);
  tenon::ErrorBuffer err;
  EXPECT_EQ(good.vt->bind(good.self, good.problem.pointers.data(), 4, 10, err), TENON_E_STATE) << "twice";
  auto refused = [](auto&& spoil) {
    tenon::testing::Instance<tenon_optimizer_vt> plain(&kPlain, {{"learning_rate", "1"}});
    Problem problem;
    DLTensor value = *problem.params_[1].value;
    problem.params_[1].value = &value;
    spoil(problem, value);
    tenon::ErrorBuffer text;
    return plain.vt->bind(plain.self, problem.pointers.data(), problem.pointers.size(), 10, text);
  };
  EXPECT_EQ(refused([](Problem&, DLTensor&) {}), TENON_OK);
  EXPECT_EQ(refused([](Problem&, DLTensor& t) { t.device.device_type = kDLCUDA; }), TENON_E_UNSUPPORTED);
  EXPECT_EQ(refused([](Problem&, DLTensor& t) { t.dtype.bits = 16; }), TENON_E_UNSUPPORTED);
  EXPECT_EQ(refused([](Problem& p, DLTensor&) { p.params_[1].grad = nullptr; }), TENON_E_UNSUPPORTED);
  static int64_t strides[] = {2};
  EXPECT_EQ(refused([](Problem&, DLTensor& t) { t.strides = strides; }), TENON_E_UNSUPPORTED);
  EXPECT_EQ(refused([](Problem& p, DLTensor&) {
              for (auto& q : p.params_) q.flags |= TENON_P_FROZEN;
            }),
            TENON_E_INVALID);
}

TEST(State, OtherVersionsAndShortBlobsAreErrors) {
  Bound run(&kPlugin, {{"learning_rate", "1"}}, 10);
  EXPECT_THROW(run.load("abc"), tenon::Error);
}

}  // namespace
