// Tests of the stage `preference` with a model whose log-probabilities can be recomputed, and eq. 7 of arXiv 2305.18290 written out once more.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stage_support/row_check.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kBeta = 0.5;

double sigma(double x) {
  return 1 / (1 + std::exp(-x));
}

// −log σ(β((lp − ref)(better) − (lp − ref)(worse))), mean over the pairs of a group, groups by their share of the samples.
struct PairLoss {
  uint32_t needs = TENON_WHOLE_GROUPS | TENON_NEEDS_GROUPS | TENON_NEEDS_REFERENCE;
  std::vector<std::vector<double>> seen;  // rewards of each group
  tenon_algorithm_info info() const {
    return {sizeof(tenon_algorithm_info), needs, TENON_CONSTANT_LENGTH, 0, 1};
  }
  void advantages(const RolloutView&, Advantages&) const {}
  void gradient(const RolloutView& r, Gradient& out) {
    for (const auto& group : r.groups()) {
      seen.emplace_back();
      for (const uint64_t i : group) seen.back().push_back(r.total_reward(i));
      const auto n = static_cast<double>(group.size());
      for (const uint64_t better : group)
        for (const uint64_t worse : group) {
          if (r.total_reward(better) <= r.total_reward(worse)) continue;
          const double margin = kBeta * (ratio(r, better) - ratio(r, worse));
          const double weight = n * r.weight(r.end(better) - 1) / (n * (n - 1) / 2);
          out.add_loss(-weight * std::log(sigma(margin)));
          for (const uint64_t i : {better, worse})
            for (uint64_t t = r.begin(i); t < r.end(i); ++t)
              if (r.scored(t))
                out.d_logprob()[t] +=
                    static_cast<float>((i == better ? -1 : 1) * weight * kBeta * sigma(-margin));
          out.metric("margin", margin, 1);
        }
    }
  }
  static double ratio(const RolloutView& r, uint64_t i) {
    double sum = 0;
    for (uint64_t t = r.begin(i); t < r.end(i); ++t)
      if (r.scored(t)) sum += double{r.lp_new(t)} - double{r.lp_ref(t)};
    return sum;
  }
};

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", model.ref("policy"));
    host.slot("reference", reference.ref("reference"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("algorithm", ref_to<AlgorithmShim<PairLoss>>(algorithm, "pair-loss"));
    host.slot("data", data.ref("pairs"));
  }
  // Of the text behind the prompt, the ending token included.
  double logprob(const HashModel& of, const std::string& prompt, const std::string& completion) const {
    std::vector<int32_t> ids = tokenizer.encode(prompt, 0);
    double sum = 0;
    std::vector<int32_t> next = tokenizer.encode(completion, 0);
    next.push_back(0);
    for (const int32_t id : next) {
      sum += of.distribution(ids, 1)[static_cast<size_t>(id)];
      ids.push_back(id);
    }
    return sum;
  }
  double margin(const std::string& prompt, const std::string& better, const std::string& worse) const {
    return kBeta * (logprob(model, prompt, better) - logprob(reference, prompt, better) -
                    logprob(model, prompt, worse) + logprob(reference, prompt, worse));
  }
  // The mean over samples: of the pair, and of the three pairs of the list.
  double loss() const {
    return (-2 * std::log(sigma(margin("1+2=", "3", "4"))) - std::log(sigma(margin("7=", "7", "8"))) -
            std::log(sigma(margin("7=", "7", "99"))) - std::log(sigma(margin("7=", "8", "99")))) /
           5;
  }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 12, 1}, reference{host, 23, 12, 2};
  PlainSgd sgd;
  PairLoss algorithm;
  RowSet data{{{"1+2=", "", "3", R"({"rejected":"4"})"}, {"7=", "", "", R"({"ranked":["7","8","99"]})"}}};
};

TEST(PreferenceStage, AStepGoesDownTheLossOfTheRows) {
  Lab lab(R"({"steps": 1, "batch": 2})"), other(R"({"steps": 1, "batch": 2})");
  lab.sgd.learning_rate = 1e-3;
  const double before = lab.loss();
  const std::vector<float> weights = lab.model.weight;
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_NEAR(lab.io.steps[0].metric("loss"), before, 1e-5);
  EXPECT_LT(lab.loss(), before);
  EXPECT_THAT(lab.algorithm.seen, ElementsAre(ElementsAre(1, 0), ElementsAre(2, 1, 0)));

  int moved = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    constexpr float kStep = 1.0f / 256;
    other.model.weight[k] = weights[k] + kStep;
    const double up = other.loss();
    other.model.weight[k] = weights[k] - kStep;
    const double slope = (up - other.loss()) / (2.0 * kStep);
    other.model.weight[k] = weights[k];
    EXPECT_NEAR(double{lab.model.weight[k]} - double{weights[k]}, -1e-3 * slope, 2e-7) << k;
    moved += std::abs(slope) > 1e-3 ? 1 : 0;
  }
  EXPECT_GT(moved, 20);
}

TEST(PreferenceStage, LearnsWhatIsPreferred) {
  Lab lab(R"({"epochs": 40, "batch": 2, "held_out": {"data": "held-out", "rows": 1}})");
  lab.sgd.learning_rate = 0.5;
  RowSet held_out({{"1+2=", "", "4", R"({"rejected":"3"})"}, {"1+2=", "", "3", R"({"rejected":"4"})"}});
  lab.host.slot("held_out/data", held_out.ref("held-out"));
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.total_steps, 40u);
  EXPECT_GT(lab.margin("1+2=", "3", "4"), 1);
  EXPECT_GT(lab.margin("7=", "8", "99"), 1);
  EXPECT_NEAR(lab.io.results.at("policy/held-out held-out/margin"), lab.margin("1+2=", "4", "3"), 1e-4);
  EXPECT_NEAR(lab.io.results.at("policy/held-out held-out/loss"), -std::log(sigma(lab.margin("1+2=", "4", "3"))),
              1e-4);
  EXPECT_EQ(lab.io.results.at("policy/held-out held-out/accuracy"), 0) << "it was taught the opposite";
  EXPECT_EQ(lab.io.results.at("policy/held-out held-out/rows"), 1);
  EXPECT_EQ(lab.model.open_tapes(), 0u);
}

// Of a pair and of the three pairs of a list, against the reference.
TEST(PreferenceStage, AccuracyIsTheShareOfPairsThatThePolicyTurned) {
  Lab lab(R"({"steps": 2, "batch": 2, "held_out": {"data": "held-out", "every": 1}})");
  lab.host.slot("held_out/data", lab.data.ref("held-out"));
  double right = 0;
  const std::vector<std::string> pairs[] = {
      {"1+2=", "3", "4"}, {"7=", "7", "8"}, {"7=", "7", "99"}, {"7=", "8", "99"}};
  for (const auto& p : pairs) right += lab.margin(p[0], p[1], p[2]) > 0 ? 1 : 0;
  const double loss = lab.loss();
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_NEAR(lab.io.steps[0].metric("held_out/loss"), loss, 1e-5) << "of the model as the stage got it";
  EXPECT_EQ(lab.io.steps[0].metric("held_out/accuracy"), right / 4);
  EXPECT_NEAR(lab.io.steps[1].metric("held_out/loss"), lab.loss(), 1e-5);
}

// The rows held out say the opposite of those it learns: by either number the model before training is the best.
TEST(PreferenceStage, EndsWhereItOnlyGetsWorseAndKeepsTheBest) {
  for (const std::string by : {"loss", "accuracy"}) {
    Lab lab(
        R"({"steps": 40, "batch": 2, "held_out": {"data": "held-out", "every": 2, "stop_after": 2, "keep": "best", "by": ")" +
        by + "\"}}");
    lab.sgd.learning_rate = 0.5;
    RowSet held_out({{"1+2=", "", "4", R"({"rejected":"3"})"}, {"7=", "", "99", R"({"rejected":"8"})"}});
    lab.host.slot("held_out/data", held_out.ref("held-out"));
    const std::vector<float> before = lab.model.weight;
    run_stage(plugin_component(), lab.host, lab.io);
    EXPECT_EQ(lab.io.steps.size(), 4u) << by;
    EXPECT_EQ(lab.io.total_steps, 4u) << by;
    EXPECT_EQ(lab.model.weight, before) << by;
    EXPECT_EQ(lab.io.results.at("policy/held-out held-out/" + by), lab.io.steps[0].metric("held_out/" + by))
        << "results are of the parameters that the stage ends with";
  }
}

TEST(PreferenceStage, MicroBatchesChangeNoBitAndKeepGroupsWhole) {
  Lab whole(R"({"steps": 5, "batch": 2})"), parts(R"({"steps": 5, "batch": 2, "micro_batch_tokens": 1})");
  run_stage(plugin_component(), whole.host, whole.io);
  run_stage(plugin_component(), parts.host, parts.io);
  EXPECT_EQ(whole.model.weight, parts.model.weight);
  EXPECT_LT(parts.model.counts.longest, whole.model.counts.longest);
  EXPECT_THAT(parts.algorithm.seen[1], ElementsAre(2, 1, 0));
}

TEST(PreferenceStage, RowsThatSayNothingAreNamedBeforeTheFirstStep) {
  const std::pair<Row, const char*> bad[] = {
      {{"1=", "", "3", "{}"}, "neither field \"rejected\""},
      {{"1=", "", "", R"({"rejected":"4"})"}, "no completion that is better"},
      {{"1=", "", "3", R"({"rejected":"3"})"}, "the same to the model"},
      {{"1=", "", "", R"({"ranked":["3","4","3"]})"}, "the same to the model"},
      {{"1=", "", "", R"({"ranked":["3"]})"}, "has 1 completions"},
      {{"1=", "", "", R"({"ranked":["3",4]})"}, "not a text"},
      {{"1=", "", "3", R"({"rejected":""})"}, "is empty"},
      {{"1=", "", "3", R"({"rejected":"44444444444444"})"}, "max_len = 12"}};
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

TEST(PreferenceStage, RowsThatSayNothingAreLeftOutAndCountedWhereThatIsAllowed) {
  const Row same{"1=", "", "3", R"({"rejected":"3"})", "pairs.jsonl:7"};
  Lab plain(R"({"steps": 4, "batch": 2})"), with(R"({"steps": 4, "batch": 3, "max_skipped": 2})");
  const Row pair{"1+2=", "", "3", R"({"rejected":"4"})"}, list{"7=", "", "", R"({"ranked":["7","8","99"]})"};
  RowSet data({pair, same, list});
  with.host.slot("data", data.ref("pairs"));
  run_stage(plugin_component(), plain.host, plain.io);
  run_stage(plugin_component(), with.host, with.io);
  EXPECT_EQ(with.model.weight, plain.model.weight) << "as if it were not there";
  for (const auto& step : with.io.steps) EXPECT_EQ(step.metric("skipped"), 1);
  ASSERT_FALSE(with.host.logs.empty());
  EXPECT_THAT(with.host.logs[0].second, AllOf(HasSubstr("data: rows with two completions that are the same "
                                                        "to the model: 1, the first of them pairs.jsonl:7"),
                                              HasSubstr("left out (max_skipped: 2)")));

  Lab alone(R"({"steps": 5, "batch": 1, "max_skipped": 1})");
  RowSet two({same, pair});
  alone.host.slot("data", two.ref("pairs"));
  run_stage(plugin_component(), alone.host, alone.io);
  EXPECT_EQ(alone.io.steps.size(), 5u) << "a batch that would be empty takes the next rows";

  const std::pair<std::vector<Row>, const char*> bad[] = {{{pair, same, same}, "max_skipped is 1"},
                                                          {{same}, "No other row is left"}};
  for (const auto& [rows, reason] : bad) {
    Lab lab(R"({"steps": 1, "max_skipped": 1})");
    RowSet set(rows);
    lab.host.slot("data", set.ref("pairs"));
    try {
      Instance(plugin_component(), lab.host);
      FAIL() << reason;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(reason));
    }
  }
}

// Rows that are not tried before the first step are bounded too.
TEST(PreferenceStage, RowsThatAreLeftOutLaterCountToo) {
  const Row pair{"1+2=", "", "3", R"({"rejected":"4"})"};
  std::vector<Row> rows(stages::kCheckedRows, pair);
  for (const char* place : {"late.jsonl:1", "late.jsonl:2"})
    rows.push_back({"1=", "", "3", R"({"rejected":"3"})", place});
  const auto why = [&](uint64_t most) -> std::string {
    Lab lab(R"({"epochs": 1, "batch": 100002, "max_skipped": )" + std::to_string(most) + "}");
    RowSet data(rows);
    lab.host.slot("data", data.ref("pairs"));
    try {
      run_stage(plugin_component(), lab.host, lab.io);
    } catch (const Error& e) {
      return e.what();
    }
    EXPECT_EQ(lab.io.steps.at(0).metric("skipped"), 2);
    return "";
  };
  EXPECT_EQ(why(2), "");
  EXPECT_THAT(why(1), AllOf(HasSubstr("late.jsonl:2"),
                            HasSubstr("as are those of 1 rows before it: raise max_skipped, which is 1")));
}

TEST(PreferenceStage, AnAlgorithmThatJudgesSamplesOfThePolicyIsRefused) {
  const std::pair<uint32_t, const char*> bad[] = {
      {TENON_NEEDS_GROUPS, "compares the completions of a prompt (dpo)"},
      {TENON_WHOLE_GROUPS | TENON_NEEDS_VALUE, "asks for values"}};
  for (const auto& [needs, reason] : bad) {
    Lab lab(R"({"steps": 1})");
    lab.algorithm.needs = needs;
    try {
      Instance(plugin_component(), lab.host);
      FAIL() << reason;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(reason));
    }
  }
}

TEST(PreferenceStage, OptionsThatContradictEachOther) {
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
