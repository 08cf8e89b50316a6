// Next-token training against the computation by hand.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", model.ref());
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref());
    host.slot("optimizer", sgd.ref());
  }
  void run() { run_stage(plugin_component(), host, io); }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 32};
  RowSet data{{{"1+2=", "", "3", "{}"}, {"7-4=", "", "<7-4=3>3", "{}"}, {"abc", "", "", "{}"}}};
  PlainSgd sgd;
};

// Sequences with the number of tokens that the loss is not on.
struct Text {
  std::string text;
  uint64_t without_loss;
};

// Mean negative log-probability; *weight (if given) becomes W after one step of gradient descent.
double loss_of(const HashModel& model, const std::vector<Text>& texts, double rate,
               std::vector<float>* weight) {
  LetterTokenizer tokenizer;
  double tokens = 0, loss = 0;
  for (const Text& t : texts) tokens += static_cast<double>(t.text.size() - t.without_loss);
  std::vector<double> grad(model.weight.size(), 0);
  for (const Text& text : texts) {
    std::vector<int32_t> ids = tokenizer.encode(text.text, 0);
    for (uint64_t t = text.without_loss; t < ids.size(); ++t) {
      std::vector<double> lp = model.distribution(std::span(ids).first(t), 1);
      loss -= lp[static_cast<uint64_t>(ids[t])] / tokens;
      for (uint64_t j = 0; j < 23; ++j)
        grad[static_cast<uint64_t>(ids[t - 1]) * 23 + j] -=
            ((j == static_cast<uint64_t>(ids[t]) ? 1 : 0) - std::exp(lp[j])) / tokens;
    }
  }
  if (weight != nullptr)
    for (size_t k = 0; k < grad.size(); ++k)
      (*weight)[k] = static_cast<float>(model.weight[k] - rate * grad[k]);
  return loss;
}

void expect_step(const std::string& options, const std::vector<Text>& texts) {
  Lab lab(options);
  HashModel before(lab.host, 23, 32);
  std::vector<float> expected = before.weight;
  double loss = loss_of(before, texts, lab.sgd.learning_rate, &expected);
  lab.run();
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_NEAR(step.metric("loss"), loss, 1e-6);
  EXPECT_NEAR(step.metric("perplexity"), std::exp(loss), 1e-4);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(lab.model.weight[i], expected[i], 1e-6) << i;
  EXPECT_EQ(lab.model.version, 1u);
}

TEST(Pretrain, LossIsOnCompletionsAndOnTheWholeTextOfRowsWithoutOne) {
  expect_step(R"({"steps": 1, "batch": 3})", {{"1+2=3$", 4}, {"7-4=<7-4=3>3$", 4}, {"abc", 1}});
}

TEST(Pretrain, LossOnAll) {
  expect_step(R"({"steps": 1, "batch": 3, "loss_on": "all"})",
              {{"1+2=3$", 1}, {"7-4=<7-4=3>3$", 1}, {"abc", 1}});
}

TEST(Pretrain, MicroBatchesChangeNoNumber) {
  auto train = [](const std::string& micro) {
    Lab lab(R"({"steps": 4, "batch": 7, "micro_batch_tokens": )" + micro + "}");
    lab.run();
    std::vector<double> losses;
    for (const auto& step : lab.io.steps) losses.push_back(step.metric("loss"));
    return std::pair(lab.model.weight, losses);
  };
  auto whole = train("100000");
  EXPECT_EQ(train("1"), whole);
  EXPECT_EQ(train("20"), whole);
  EXPECT_LT(whole.second.back(), whole.second.front()) << "it learns";
}

TEST(Pretrain, TakesTheNextRowsAndGoesOnAfterAStop) {
  Lab lab(R"({"steps": 5, "batch": 2})");
  lab.io.set_first_step(3);
  lab.run();
  EXPECT_EQ(lab.data.taken, 4u);
  EXPECT_EQ(lab.io.total_steps, 5u);
  ASSERT_EQ(lab.io.steps.size(), 2u);
  EXPECT_EQ(lab.io.steps[0].step, 3u);
  EXPECT_EQ(lab.model.version, 5u);
  EXPECT_EQ(lab.sgd.total_steps, 5u);
}

TEST(Pretrain, ARowThatDoesNotFitIsAnErrorBeforeTheFirstStep) {
  Lab lab(R"({"steps": 1, "batch": 1})");
  HashModel small(lab.host, 23, 8);
  lab.host.slot("model", small.ref());
  try {
    lab.run();
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("row 1, \"7-4=\": 13 tokens"));
    EXPECT_THAT(e.what(), HasSubstr("max_len = 8"));
    EXPECT_EQ(lab.data.taken, 0u);
    EXPECT_EQ(small.version, 0u);
  }
}

TEST(Pretrain, AModelThatPredictsNoNextTokenIsAnErrorBeforeTheFirstStep) {
  Lab lab(R"({"steps": 1, "batch": 1})");
  struct Reader : HashModel {
    using HashModel::HashModel;
    void info(tenon_model_info& out) {
      HashModel::info(out);
      out.heads = 1u << TENON_HEAD_SCALAR;
    }
  } reader(lab.host, 23, 32);
  lab.host.slot("model", ref_to<ModelShim<Reader>>(reader, "encoder", "reader"));
  try {
    Instance stage(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("model: reader (encoder) predicts no next token"));
  }
}

TEST(Pretrain, ATokenizerWithoutAnEndIsAnErrorOnlyWhereSomethingEnds) {
  struct Endless : LetterTokenizer {
    int64_t special(std::string_view) const { return -1; }
    std::vector<int32_t> stop_ids() const { return {}; }
  } endless;
  Lab lab(R"({"steps": 1, "batch": 1})");
  lab.host.slot("model.tokenizer", ref_to<TokenizerShim<Endless>>(endless, "endless"));
  try {
    Instance stage(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::StartsWith("model.tokenizer: the tokenizer has neither"));
  }
  RowSet plain{{{"abc", "", "", "{}"}}};
  lab.host.slot("data", plain.ref());
  lab.run();
  EXPECT_EQ(lab.io.steps.size(), 1u);
}

}  // namespace
}  // namespace tenon::test
