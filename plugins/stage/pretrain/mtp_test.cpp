// Multi-token prediction in the stage: what the modules are given, what is reported, and mistakes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "multi_token/multi_token.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two modules that give log p = −k to what module k predicts, and remember what they are given.
struct AheadModel : HashModel {
  using HashModel::HashModel;
  uint64_t modules = 2;
  struct Given {
    uint64_t step;
    std::vector<uint64_t> offsets;
    std::vector<float> d;  // [modules + 1][tokens]
  };
  std::vector<Given> given;

  void visit(const tenon_call* call, const tenon_tokens& in, const float* d, float* logprob) {
    const uint64_t n = in.ids.offsets[in.ids.n];
    given.push_back(
        {call->step, {in.ids.offsets, in.ids.offsets + in.ids.n + 1}, {d, d + (modules + 1) * n}});
    accumulate(call, in, d, logprob);
    std::fill_n(logprob + n, modules * n, 0.0f);
    for (uint64_t k = 1; k <= modules; ++k)
      for (uint64_t i = 0; i < in.ids.n; ++i)
        for (uint64_t t = in.ids.offsets[i] + k + 1; t < in.ids.offsets[i + 1]; ++t)
          if (in.mask[t] != 0) logprob[k * n + t] = -static_cast<float>(k);
  }
  const void* extension(std::string_view id) {
    static constexpr tenon_multi_token kTable{
        sizeof(tenon_multi_token), 0, [](void* self) { return static_cast<AheadModel*>(self)->modules; },
        [](void* self, const tenon_call* call, const tenon_tokens* in, const float* d, float* logprob,
           tenon_error* err) {
          return guard(err, [&] { static_cast<AheadModel*>(self)->visit(call, *in, d, logprob); });
        }};
    return id == TENON_EXT_MULTI_TOKEN ? &kTable : nullptr;
  }
};

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", ref_to<ModelShim<AheadModel>>(model, "ahead", "policy"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref());
    host.slot("optimizer", sgd.ref());
  }
  void run() { run_stage(plugin_component(), host, io); }
  std::string error() {
    try {
      run();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  AheadModel model{host, 23, 32};
  RowSet data{{{"1+2=", "", "3", "{}"}, {"7-4=", "", "<7-4=3>3", "{}"}, {"abc", "", "", "{}"}}};
  PlainSgd sgd;
};

TEST(MultiTokenStage, AModulesTokensHaveTheWeightsOfTheMainLossTimesLambdaByDepth) {
  Lab lab(R"({"steps": 1, "batch": 3, "mtp": {"weight": 0.3}})");
  lab.run();
  ASSERT_EQ(lab.model.given.size(), 1u);
  const auto& d = lab.model.given[0].d;
  const uint64_t n = d.size() / 3;
  // 1+2=3$ has 2 tokens in the loss, 7-4=<7-4=3>3$ 9, abc 2.
  for (uint64_t t = 0; t < n; ++t)
    for (uint64_t k = 1; k <= 2; ++k) EXPECT_FLOAT_EQ(d[k * n + t], 0.15f * d[t]) << k << " " << t;
  EXPECT_FLOAT_EQ(d[4], -1.0f / 13);
  // Module 1 predicts all of them but the b of abc, module 2 but its c, too.
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_DOUBLE_EQ(step.metric("mtp/loss"), (12 * 1 + 11 * 2) / 23.0);
  EXPECT_EQ(step.metric("mtp/weight"), 0.3);
  EXPECT_EQ(step.metric("tokens"), 13);
}

TEST(MultiTokenStage, TheMainLossIsWhatItWasAndMicroBatchesChangeNothing) {
  Lab plain(R"({"steps": 3, "batch": 5})");
  plain.model.modules = 0;
  plain.run();
  for (const char* micro : {"100000", "1"}) {
    Lab lab(R"({"steps": 3, "batch": 5, "mtp": {"weight": 0.5}, "micro_batch_tokens": )" +
            std::string(micro) + "}");
    lab.run();
    EXPECT_EQ(lab.model.weight, plain.model.weight);
    for (size_t s = 0; s < 3; ++s) {
      EXPECT_EQ(lab.io.steps[s].metric("loss"), plain.io.steps[s].metric("loss"));
      EXPECT_EQ(lab.io.steps[s].metric("perplexity"), plain.io.steps[s].metric("perplexity"));
      const double loss = lab.io.steps[s].metric("mtp/loss");
      EXPECT_GT(loss, 1);
      EXPECT_LT(loss, 2);
    }
  }
}

TEST(MultiTokenStage, LambdaChangesAtAStepAlsoInARunThatGoesOn) {
  const std::string options =
      R"({"steps": 5, "batch": 2, "mtp": {"weight": 0.3, "later_weight": 0.1, "later_from": 3}})";
  Lab whole(options), resumed(options);
  whole.run();
  std::vector<double> weights;
  for (const auto& step : whole.io.steps) weights.push_back(step.metric("mtp/weight"));
  EXPECT_THAT(weights, ElementsAre(0.3, 0.3, 0.3, 0.1, 0.1));
  resumed.io.set_first_step(4);
  resumed.run();
  EXPECT_EQ(resumed.io.steps.at(0).metric("mtp/weight"), 0.1);
}

TEST(MultiTokenStage, WithoutTheOptionModulesAreNotTrainedAndThatIsSaid) {
  Lab lab(R"({"steps": 1, "batch": 3})");
  lab.run();
  EXPECT_TRUE(lab.model.given.empty());
  EXPECT_THROW(lab.io.steps.at(0).metric("mtp/loss"), std::exception);
}

TEST(MultiTokenStage, MistakesAreToldBeforeTheFirstStep) {
  Lab lab(R"({"steps": 1, "mtp": {"weight": 0.3}})");
  lab.model.modules = 0;
  EXPECT_THAT(lab.error(), HasSubstr("mtp: the model policy (ahead) has no modules"));
  HashModel plain(lab.host, 23, 32);
  lab.host.slot("model", plain.ref());
  EXPECT_THAT(lab.error(), HasSubstr("give it `mtp_depth: 1`"));
  auto findings = [](const std::string& mtp) {
    const FakeHost host(plugin_component(), R"({"steps": 5, "mtp": )" + mtp + "}");
    return check_findings(plugin_component(), host);
  };
  EXPECT_THAT(findings(R"({"weight": 0.3, "later_weight": 0.1})"), ElementsAre(HasSubstr("belong together")));
  EXPECT_THAT(findings(R"({"weight": 0.3, "later_weight": 0.1, "later_from": 5})"),
              ElementsAre(HasSubstr("the stage ends after 5 steps")));
  EXPECT_THAT(findings(R"({"weight": 0.3, "later_weight": 0.1, "later_from": 4})"), ElementsAre());
}

}  // namespace
}  // namespace tenon::test
