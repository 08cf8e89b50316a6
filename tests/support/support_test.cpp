// The test support itself: finite differences of the fake model, options by path.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

TEST(FakeHost, OptionsByPath) {
  FakeHost fake(
      R"({"steps": 3, "schedule": {"kind": "cosine"}, "rewards": [{"of": "a", "weight": 0.5}], "stop": ["x", "y"]})");
  Host host = fake.host();
  EXPECT_EQ(host.i64("steps"), 3);
  EXPECT_EQ(host.f64("steps"), 3.0);
  EXPECT_EQ(host.str("schedule.kind"), "cosine");
  EXPECT_EQ(host.f64("rewards.0.weight"), 0.5);
  EXPECT_EQ(host.count("rewards"), 1u);
  EXPECT_EQ(host.strs("stop"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(host.i64_if("none"), std::nullopt);
  EXPECT_THROW(host.str("steps"), Error);
}

TEST(HashModel, GradientsByFiniteDifferences) {
  FakeHost host;
  HashModel model(host, 5, 16);
  Ragged<int32_t> ids;
  ids.push(std::vector<int32_t>{1, 2, 3, 4});
  ids.push(std::vector<int32_t>{4, 4, 0});
  std::vector<uint8_t> mask = {0, 0, 1, 1, 0, 1, 1};
  tenon_tokens tokens{sizeof tokens, TENON_HEAD_VALUE, ids.raw(), mask.data(), nullptr,
                      nullptr,       nullptr,          nullptr,   0.7f,        0};
  std::vector<float> dl = {0, 0, 0.3f, -1, 0, 2, 0.5f}, dh = {0, 0, 1, 0.5f, 0, -1, 0.25f},
                     dv = {0, 0, 1, 2, 0, 3, 4};
  std::vector<float> lp(7), entropy(7), value(7);
  auto loss = [&] {
    tenon_score_out out{sizeof out, 0, lp.data(), entropy.data(), value.data(), nullptr};
    model.score(nullptr, tokens, out);
    double sum = 0;
    for (int t = 0; t < 7; ++t)
      sum += double(dl[t]) * lp[t] + double(dh[t]) * entropy[t] + double(dv[t]) * value[t];
    return sum;
  };
  uint64_t tape = 0;
  tenon_score_out out{sizeof out, 0, lp.data(), entropy.data(), value.data(), &tape};
  model.score(nullptr, tokens, out);
  model.backward(nullptr, tape, dl.data(), dh.data(), dv.data());
  for (size_t i = 0; i < model.weight.size(); ++i) {
    float keep = model.weight[i];
    model.weight[i] = keep + 0.01f;
    double up = loss();
    model.weight[i] = keep - 0.01f;
    double down = loss();
    model.weight[i] = keep;
    EXPECT_NEAR((up - down) / 0.02, model.grad[i], 2e-3) << i;
  }
  EXPECT_FLOAT_EQ(model.value_grad[2], 1);  // before the token 3 of the first sequence
  EXPECT_FLOAT_EQ(model.value_grad[3], 2);
  EXPECT_FLOAT_EQ(model.value_grad[4], 7);
}

TEST(HashModel, SampledLogprobsAreThoseOfScoring) {
  FakeHost host;
  HashModel model(host, 23, 64);
  NaiveSampler sampler;
  Ragged<int32_t> prompts;
  prompts.push(std::vector<int32_t>{1, 2, 3});
  uint64_t id = 9, group = 0;
  int32_t stop = 0;
  tenon_sampling how{sizeof how, 0.8f, 0, 0, 0, 0, 5};
  tenon_generate_in in{sizeof in, 0, 1, prompts.raw(), &id, &group, &how, 20, &stop, 1};
  std::vector<Completion> done =
      Sampler(sampler.ref()).generate(nullptr, Model(model.ref()), in, [](uint64_t, const tenon::Completion&) {});
  Rollout r;
  r.push(prompts[0], done[0].ids, done[0].logprobs, 0, id, done[0].finish);
  std::vector<float> lp(r.tokens());
  Model(model.ref()).score(nullptr, r.tokens_for_model(0.8f), lp.data(), nullptr, nullptr, nullptr);
  EXPECT_EQ(lp, r.lp_sample);
}

}  // namespace
}  // namespace tenon::test
