// Tests of the reward model's losses against closed forms and finite differences, and of the stage with a model whose numbers can be recomputed by hand.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "masked_lm/masked_lm.h"
#include "ranking_loss.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using reward_model::all_pairs;
using reward_model::Judgement;
using reward_model::loss_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

double sigma(double x) {
  return 1 / (1 + std::exp(-x));
}

TEST(RankingLoss, OfAPairIsBradleyTerry) {
  const Judgement pair{{{0, 1, 0}}, {}};
  const float scores[] = {1.5f, 0.25f};
  const auto loss = loss_of(pair, scores, 0);
  EXPECT_NEAR(loss.value, -std::log(sigma(1.25)), 1e-12);
  EXPECT_NEAR(loss.slope[0], sigma(1.25) - 1, 1e-12);
  EXPECT_NEAR(loss.slope[1], 1 - sigma(1.25), 1e-12);
  const float equal[] = {3, 3};
  EXPECT_NEAR(loss_of(pair, equal, 0).value, std::log(2.0), 1e-12);
}

TEST(RankingLoss, OfARankedListIsTheMeanOverItsPairs) {
  const float scores[] = {0.5f, -1.0f, 2.0f, 0.0f};
  double expected = 0;
  for (int i = 0; i < 4; ++i)
    for (int k = i + 1; k < 4; ++k)
      expected -= std::log(sigma(static_cast<double>(scores[i]) - static_cast<double>(scores[k]))) / 6;
  EXPECT_EQ(all_pairs(4).pairs.size(), 6u);
  EXPECT_NEAR(loss_of(all_pairs(4), scores, 0).value, expected, 1e-12);
}

TEST(RankingLoss, LargeGapsNeitherOverflowNorVanish) {
  const Judgement pair{{{0, 1, 0}}, {}};
  const float wrong[] = {-500, 500}, right[] = {500, -500};
  EXPECT_NEAR(loss_of(pair, wrong, 0).value, 1000, 1e-9);
  EXPECT_NEAR(loss_of(pair, wrong, 0).slope[0], -1, 1e-12);
  EXPECT_EQ(loss_of(pair, right, 0).value, 0);
}

TEST(RankingLoss, SlopesAreThoseOfTheLoss) {
  Judgement margins{{{0, 2, 0.7}, {1, 2, 0}, {0, 1, 2}}, {}}, labels{{}, {1, 0, 0.25}};
  for (const Judgement& judgement : {margins, labels})
    for (const double center : {0.0, 0.01, 0.5}) {
      const std::vector<float> at{0.5f, -1.25f, 2.0f};
      const auto loss = loss_of(judgement, at, center);
      for (size_t i = 0; i < at.size(); ++i) {
        constexpr float kStep = 1.0f / 1024;
        std::vector<float> up = at, down = at;
        up[i] += kStep, down[i] -= kStep;
        const double slope =
            (loss_of(judgement, up, center).value - loss_of(judgement, down, center).value) / (2.0 * kStep);
        EXPECT_NEAR(loss.slope[i], slope, 1e-6);
      }
    }
}

// Score: the sum of its weights of the ids, and so linear; its gradient counts ids.
struct Bag {
  explicit Bag(uint64_t vocab) : weight(vocab), grad(vocab), shape{static_cast<int64_t>(vocab)} {
    for (DLTensor* t : {&tensors[0], &tensors[1]}) {
      *t = {};
      t->device = {kDLCPU, 0};
      t->ndim = 1;
      t->dtype = {kDLFloat, 32, 1};
      t->shape = &shape;
    }
    tensors[0].data = weight.data(), tensors[1].data = grad.data();
  }
  void info(tenon_model_info& out) {
    out.heads = 1u << TENON_HEAD_SCALAR;
    out.vocab = weight.size(), out.max_len = 12, out.n_params = weight.size(), out.n_tensors = 1;
    out.arch = "bag";
  }
  void param(uint64_t, tenon_param& out) {
    out.name = "weight", out.value = &tensors[0], out.grad = &tensors[1];
  }
  void score(const tenon_call*, const tenon_tokens& in, tenon_score_out& out) {
    longest = std::max<uint64_t>(longest, in.ids.offsets[in.ids.n]);
    taped.clear();
    for (uint64_t i = 0; i < in.ids.n; ++i) {
      const auto ids = row<int32_t>(in.ids, i);
      double sum = 0;
      for (const int32_t id : ids) sum += static_cast<double>(weight[static_cast<size_t>(id)]);
      out.value[in.ids.offsets[i + 1] - 1] = static_cast<float>(sum);
      taped.emplace_back(ids.begin(), ids.end());
    }
    if (out.tape != nullptr) *out.tape = 1;
  }
  void backward(const tenon_call*, uint64_t, const float*, const float*, const float* d_value) {
    size_t at = 0;
    for (const auto& ids : taped) {
      at += ids.size();
      for (const int32_t id : ids) grad[static_cast<size_t>(id)] += d_value[at - 1];
    }
  }
  void drop_tape(uint64_t) {}
  void accumulate(const tenon_call*, const tenon_tokens&, const float*, float*) {}
  void zero_grad(const tenon_call*) { std::fill(grad.begin(), grad.end(), 0.0f); }
  void finish_grad(const tenon_call*) {}
  void params_updated(const tenon_call*, uint64_t) {}
  uint64_t session_open(const tenon_call*, uint64_t, uint64_t) { return 0; }
  void decode(const tenon_call*, uint64_t, const tenon_tokens&, const tenon_sampling*, const uint64_t*,
              int32_t*, float*) {}
  void session_fork(const tenon_call*, uint64_t, uint64_t, uint64_t, std::span<const uint64_t>) {}
  void session_close(uint64_t) {}

  std::vector<float> weight, grad;
  std::vector<std::vector<int32_t>> taped;
  int64_t shape;
  DLTensor tensors[2];
  uint64_t longest = 0;
};

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", ref_to<ModelShim<Bag>>(model, "bag", "judge"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("data", data.ref("pairs"));
  }
  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  Bag model{23};
  PlainSgd sgd;
  RowSet data{{{"1+2=", "", "3", R"({"rejected":"4"})"},
               {"7=", "", "", R"({"ranked":["7","8","9"]})"},
               {"5=", "", "5", R"({"label":1})"}}};
};

TEST(RewardModelStage, OneStepIsOneStepDownTheMeanLoss) {
  Lab lab(R"({"steps": 1, "batch": 3})");
  lab.sgd.learning_rate = 0.3;
  run_stage(plugin_component(), lab.host, lab.io);
  // At weights 0 all scores are 0: slopes -1/2 and 1/2 of a pair, of a list of three (-1/2 - 1/2, 1/2 - 1/2, 1/2 + 1/2) / 3, and -1/2 of a good one. Prompts and
  // the ending id cancel out in pairs, and stay in the labelled one.
  std::map<char, double> slope{{'3', -0.5}, {'4', 0.5},  {'7', -1.0 / 3}, {'9', 1.0 / 3},
                               {'5', -1.0}, {'=', -0.5}, {'$', -0.5}};
  for (size_t id = 0; id < lab.tokenizer.alphabet.size(); ++id)
    EXPECT_NEAR(lab.model.weight[id], -0.3 * slope[lab.tokenizer.alphabet[id]] / 3, 1e-6)
        << lab.tokenizer.alphabet[id];
  EXPECT_NEAR(lab.io.steps[0].metric("loss"), std::log(2.0), 1e-6);
  EXPECT_EQ(lab.io.steps[0].metric("accuracy"), 0) << "equal scores are not right";
}

TEST(RewardModelStage, LearnsWhatIsPreferred) {
  Lab lab(R"({"steps": 60, "batch": 3, "held_out": {"data": "held-out", "rows": 2}})");
  lab.sgd.learning_rate = 1;
  RowSet held_out({{"9=", "", "3", R"({"rejected":"4"})"}, {"9=", "", "4", R"({"rejected":"3"})"}});
  lab.host.slot("held_out/data", held_out.ref("held-out"));
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.steps.back().metric("accuracy"), 1);
  EXPECT_GT(lab.io.steps.back().metric("margin"), 1);
  EXPECT_LT(lab.io.steps.back().metric("loss"), 0.3);
  EXPECT_EQ(lab.io.results.at("judge/held-out held-out/accuracy"), 0.5);
  EXPECT_EQ(lab.io.steps.back().metric("held_out/accuracy"), 0.5);
  EXPECT_NEAR(lab.io.steps.front().metric("held_out/loss"), std::log(2.0), 1e-6) << "before training";
}

// A bag that reads pairs of segments.
struct PairBag : Bag {
  using Bag::Bag;
  const void* extension(std::string_view id) const {
    static constexpr tenon_masked_lm table{sizeof(tenon_masked_lm), 0,
                                           [](void*, tenon_masked_lm_info* out, tenon_error*) -> int32_t {
                                             out->cls = 19, out->sep = 20, out->mask = 21;
                                             return TENON_OK;
                                           },
                                           nullptr};
    return id == TENON_EXT_MASKED_LM ? &table : nullptr;
  }
};

TEST(RewardModelStage, AModelOfSegmentsReadsPromptAndCompletionAsTwo) {
  Lab lab(R"({"steps": 1, "batch": 1})");
  PairBag model(23);
  lab.host.slot("model", ref_to<ModelShim<PairBag>>(model, "bag", "judge"));
  run_stage(plugin_component(), lab.host, lab.io);
  auto ids = lab.tokenizer.encode("1+2=", 0);
  ids.insert(ids.end(), {20, 4, 20});
  EXPECT_THAT(model.taped[0], ::testing::ElementsAreArray(ids));
}

TEST(RewardModelStage, MicroBatchesChangeNoBit) {
  Lab whole(R"({"steps": 5, "batch": 3})"), parts(R"({"steps": 5, "batch": 3, "micro_batch_tokens": 8})");
  run_stage(plugin_component(), whole.host, whole.io);
  run_stage(plugin_component(), parts.host, parts.io);
  EXPECT_EQ(whole.model.weight, parts.model.weight);
  EXPECT_LT(parts.model.longest, whole.model.longest);
}

TEST(RewardModelStage, RowsThatSayNothingAreNamedBeforeTheFirstStep) {
  const std::pair<Row, const char*> bad[] = {
      {{"1=", "", "3", "{}"}, "it has neither field \"rejected\""},
      {{"1=", "", "", R"({"rejected":"4"})"}, "no completion"},
      {{"1=", "", "3", R"({"rejected":"3"})"}, "are the same"},
      {{"1=", "", "", R"({"ranked":["3"]})"}, "has 1 completions"},
      {{"1=", "", "", R"({"ranked":"3"})"}, "is not a list"},
      {{"1=", "", "3", R"({"label":"good"})"}, "is not a number"},
      {{"1=", "", "3", R"({"label":2})"}, "is not between 0 and 1"},
      {{"1=", "", "3", R"({"rejected":"44444444444444"})"}, "the reward model reads 12"}};
  for (const auto& [row, reason] : bad) {
    Lab lab(R"({"steps": 1})");
    RowSet data({row});
    lab.host.slot("data", data.ref("pairs"));
    try {
      Instance(plugin_component(), lab.host);
      FAIL() << reason;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(reason));
    }
  }
}

TEST(RewardModelStage, OptionsThatContradictEachOther) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  EXPECT_THAT(findings("{}"), ElementsAre(HasSubstr("steps: give `steps` or `epochs`")));
  EXPECT_THAT(findings(R"({"steps": 1, "epochs": 1})"), ElementsAre(HasSubstr("epochs: ")));
  EXPECT_THAT(findings(R"({"steps": 1, "held_out": {"data": "x", "min_improvement": 5}})"),
              ElementsAre(HasSubstr("held_out.min_improvement: ")));
}

}  // namespace
}  // namespace tenon::test
