// Tests of the stage `distill` against the exact reverse divergence of two models whose distributions are known.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", student.ref("student"));
    host.slot("teacher", teacher.ref("teacher"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("teacher.tokenizer", tokenizer.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("sampler", sampler.ref());
    host.slot("data", data.ref("prompts"));
  }
  // KL(student ‖ teacher) of the token behind the prompt.
  double divergence(const std::string& prompt, double temperature = 1) const {
    const std::vector<int32_t> ids = tokenizer.encode(prompt, 0);
    const auto own = student.distribution(ids, temperature), wanted = teacher.distribution(ids, temperature);
    double sum = 0;
    for (size_t j = 0; j < own.size(); ++j) sum += std::exp(own[j]) * (own[j] - wanted[j]);
    return sum;
  }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel student{host, 23, 12, 1}, teacher{host, 23, 12, 2};
  PlainSgd sgd;
  NaiveSampler sampler;
  RowSet data{{{"1+2=", "", "", "{}"}}};
};

// One token a completion: the stage's step is then an estimate, without bias, of the derivative of a divergence that can be summed over all tokens.
TEST(DistillStage, AStepIsTheDerivativeOfTheReverseDivergence) {
  for (const double temperature : {1.0, 0.5}) {
    Lab lab(R"({"steps": 1, "prompts": 1, "samples": 20000, "max_new_tokens": 1, "temperature": )" +
            std::to_string(temperature) + "}");
    lab.sgd.learning_rate = 1;
    const std::vector<float> before = lab.student.weight;
    const double at_first = lab.divergence("1+2=", temperature);
    run_stage(plugin_component(), lab.host, lab.io);
    EXPECT_NEAR(lab.io.steps[0].metric("loss"), at_first, 0.05 * at_first);
    const std::vector<float> after = lab.student.weight;

    const size_t row = static_cast<size_t>(lab.tokenizer.encode("=", 0)[0]) * 23;
    double largest = 0;
    for (size_t j = 0; j < 23; ++j) {
      constexpr float kStep = 1.0f / 1024;
      lab.student.weight = before;
      lab.student.weight[row + j] += kStep;
      const double up = lab.divergence("1+2=", temperature);
      lab.student.weight[row + j] = before[row + j] - kStep;
      const double slope = (up - lab.divergence("1+2=", temperature)) / (2.0 * kStep);
      EXPECT_NEAR(double{before[row + j]} - double{after[row + j]}, slope, 0.012 / temperature) << j;
      largest = std::max(largest, std::abs(slope));
    }
    EXPECT_GT(largest, 0.05 / temperature) << "the tolerance must mean something";
  }
}

TEST(DistillStage, TheStudentBecomesTheTeacherWhereItGoes) {
  Lab lab(R"({"steps": 400, "prompts": 1, "samples": 32, "max_new_tokens": 3})");
  lab.sgd.learning_rate = 1;
  const double before = lab.divergence("1+2=");
  const std::vector<float> teacher = lab.teacher.weight;
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_LT(lab.divergence("1+2="), before / 10);
  EXPECT_EQ(lab.teacher.weight, teacher);
  EXPECT_EQ(lab.student.version, 400u);
  EXPECT_EQ(lab.student.open_tapes(), 0u);
}

TEST(DistillStage, MicroBatchesChangeNoBitOfTheUpdate) {
  Lab whole(R"({"steps": 3, "prompts": 2, "samples": 3, "max_new_tokens": 4})"),
      parts(R"({"steps": 3, "prompts": 2, "samples": 3, "max_new_tokens": 4, "micro_batch_tokens": 1})");
  run_stage(plugin_component(), whole.host, whole.io);
  run_stage(plugin_component(), parts.host, parts.io);
  EXPECT_EQ(whole.student.weight, parts.student.weight);
  EXPECT_LT(parts.student.counts.longest, whole.student.counts.longest);
}

TEST(DistillStage, RewardsAreMonitorsAndTeachNothing) {
  const std::string options = R"({"steps": 2, "prompts": 2, "samples": 2, "max_new_tokens": 4)";
  Lab without(options + "}"), with(options + R"(, "rewards": [{"of": "length"}]})");
  LambdaReward length{[](const Sample& s) -> double {
    if (s.completion.size() > 3) not_applicable("long");
    return static_cast<double>(s.completion.size());
  }};
  with.host.slot("rewards/0", length.ref("length"));
  run_stage(plugin_component(), without.host, without.io);
  run_stage(plugin_component(), with.host, with.io);
  EXPECT_EQ(without.student.weight, with.student.weight);
  ASSERT_EQ(with.io.steps[0].samples.size(), 4u);
  EXPECT_THAT(with.io.steps[0].samples[0], HasSubstr("\"rewards\":{\"length\":"));
}

TEST(DistillStage, ATeacherOfOtherTokensIsRefused) {
  const auto refused = [](Lab& lab) -> std::string {
    try {
      Instance(plugin_component(), lab.host);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  Lab lab(R"({"steps": 1})");
  EXPECT_EQ(refused(lab), "");
  HashModel wide(lab.host, 24, 12), shorter(lab.host, 23, 8);
  lab.host.slot("teacher", wide.ref("wide"));
  EXPECT_THAT(refused(lab), HasSubstr("model wide has 24 token ids, and the student has 23"));
  lab.host.slot("teacher", shorter.ref("short"));
  EXPECT_THAT(refused(lab), HasSubstr("reads 8 tokens"));
  LetterTokenizer other;
  std::swap(other.alphabet[3], other.alphabet[4]);
  lab.host.slot("teacher", lab.teacher.ref("teacher"));
  lab.host.slot("teacher.tokenizer", other.ref());
  EXPECT_THAT(refused(lab), HasSubstr("has \"3\" at id 3, and the student's \"2\""));
}

}  // namespace
}  // namespace tenon::test
