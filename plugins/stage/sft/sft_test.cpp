// What the loss is on, and how long it trains.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

struct Lab {
  Lab(const std::string& options, std::vector<Row> rows)
      : host(plugin_component(), options), io(host), data(std::move(rows)) {
    host.slot("model", model.ref());
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref());
    host.slot("optimizer", sgd.ref());
  }
  void run() { run_stage(plugin_component(), host, io); }
  std::string run_and_fail() {
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
  HashModel model{host, 23, 32};
  RowSet data;
  PlainSgd sgd;
};

const char* kChat = R"([{"role":"user","content":"1+2"},{"role":"assistant","content":"3"}])";
const char* kQuestion = R"([{"role":"user","content":"1+2"}])";

TEST(Sft, ChatsAndPromptsWithTheSameTextTrainTheSame) {
  std::vector<std::vector<float>> weights;
  std::vector<double> losses;
  for (const Row& row :
       {Row{"1+2=", "", "3", "{}"}, Row{"", kChat, "", "{}"}, Row{"", kQuestion, "3", "{}"}}) {
    Lab lab(R"({"steps": 2, "batch": 2})", {row});
    lab.run();
    weights.push_back(lab.model.weight);
    losses.push_back(lab.io.steps.at(0).metric("loss"));
    EXPECT_EQ(lab.io.steps.at(0).metric("tokens"), 4) << "3 and the end, twice";
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
  EXPECT_EQ(losses[0], losses[1]);
}

TEST(Sft, EpochsAreCounted) {
  std::vector<Row> rows(5, Row{"1+2=", "", "3", "{}"});
  Lab lab(R"({"epochs": 2, "batch": 3})", rows);
  lab.run();
  EXPECT_EQ(lab.io.steps.size(), 4u);  // 10 rows in batches of 3
  EXPECT_EQ(lab.data.taken, 12u);
}

TEST(Sft, LossOfEachPartOfAMixture) {
  const std::vector<Row> rows = {{"1+2=", "", "33", R"({"source":"sums"})"},
                                 {"7=", "", "9", R"({"source":"names"})"},
                                 {"2+2=", "", "4", R"({"source":"sums"})"},
                                 {"a=", "", "b", "{}"}};
  Lab all(R"({"steps": 1, "batch": 4, "domain": "source"})", rows),
      sums(R"({"steps": 1, "batch": 2})", {rows[0], rows[2]}),
      micro(R"({"steps": 1, "batch": 4, "domain": "source", "micro_batch_tokens": 1})", rows),
      without(R"({"steps": 1, "batch": 4})", rows),
      names(R"({"steps": 2, "batch": 1, "domain": "source"})", {rows[1], rows[0]});
  for (Lab* lab : {&all, &sums, &micro, &without, &names}) lab->run();
  const FakeIo::Step& step = all.io.steps.at(0);
  EXPECT_NEAR(step.metric("loss/sums"), sums.io.steps.at(0).metric("loss"), 1e-6)
      << "the mean over its tokens";
  const double others = step.metric("loss/names") * 2 + step.metric("loss/(none)") * 2;
  EXPECT_NEAR(step.metric("loss"), (step.metric("loss/sums") * 5 + others) / 9, 1e-6);
  EXPECT_EQ(micro.io.steps[0].metric("loss/sums"), step.metric("loss/sums"));
  EXPECT_EQ(without.model.weight, all.model.weight) << "it changes nothing of the training";
  EXPECT_EQ(names.io.steps[0].metrics.count("loss/sums"), 0u)
      << "nothing of a part that the step has no row of";
  EXPECT_EQ(names.io.steps[1].metrics.count("loss/sums"), 1u);
}

TEST(Sft, AnEndlessDataSetHasNoEpochs) {
  Lab lab(R"({"epochs": 2})", {Row{"1+2=", "", "3", "{}"}});
  static const auto* bounded = static_cast<const tenon_dataset_vt*>(lab.data.ref().vt);
  static constexpr tenon_dataset_vt endless{sizeof endless, 0, [](void*) { return TENON_COUNT_UNBOUNDED; },
                                            [](void* self, const tenon_call* call, const uint64_t* index,
                                               uint64_t n, const tenon_row_sink* out, tenon_error* err) {
                                              std::vector<uint64_t> first(n, 0 * index[0]);
                                              return bounded->read(self, call, first.data(), n, out, err);
                                            },
                                            nullptr};
  tenon_ref ref = lab.data.ref();
  ref.vt = &endless;
  lab.host.slot("data", ref);
  try {
    Instance(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("epochs: the data set has no end"));
  }
}

TEST(Sft, ARowWithoutAnAnswerIsAnError) {
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"1+2=", "", "", "{}"}}).run_and_fail(),
              HasSubstr("\"1+2=\": there is no answer"));
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"", kQuestion, "", "{}"}}).run_and_fail(),
              HasSubstr("there is no answer"));
  EXPECT_THAT(Lab(R"({"steps": 1})", {{"", "{}", "", "{}"}}).run_and_fail(),
              HasSubstr("must be a JSON list"));
}

// On rows that say something else than those it learns, the loss falls for a while (the model learns what answers look like) and then rises.
struct HeldOutLab : Lab {
  explicit HeldOutLab(const std::string& held_out, int steps = 60)
      : Lab(R"({"steps": )" + std::to_string(steps) + R"(, "batch": 2, "held_out": {"data": "others")" +
                held_out + "}}",
            {{"1+2=", "", "3", "{}"}, {"2+2=", "", "4", "{}"}}) {
    host.slot("held_out/data", others.ref("others"));
  }
  // Mean negative log-probability of the answers held out.
  double loss() const {
    double sum = 0;
    for (const std::string answer : {"33$", "5$"}) {
      std::vector<int32_t> ids = tokenizer.encode("1+2=", 0);
      for (const int32_t id : tokenizer.encode(answer, 0)) {
        sum -= model.distribution(ids, 1)[static_cast<size_t>(id)] / 5;
        ids.push_back(id);
      }
    }
    return sum;
  }
  RowSet others{{{"1+2=", "", "33", "{}"}, {"1+2=", "", "5", "{}"}, {"7=", "", "9", "{}"}}};
};

TEST(Sft, TheLossOnRowsHeldOutIsTheirTokensMean) {
  HeldOutLab lab(R"(, "rows": 2, "every": 20)"), without(R"(, "rows": 2, "every": 20)");
  const double before = lab.loss();
  lab.run();
  EXPECT_NEAR(lab.io.steps[0].metric("held_out/loss"), before, 1e-6);
  EXPECT_NEAR(lab.io.steps[59].metric("held_out/loss"), lab.loss(), 1e-6);
  EXPECT_NEAR(lab.io.results.at("model/held-out others/loss"), lab.loss(), 1e-6);
  EXPECT_EQ(lab.io.results.at("model/held-out others/rows"), 2);
  std::vector<uint64_t> evaluated;
  for (const auto& step : lab.io.steps)
    if (step.metrics.count("held_out/loss") != 0) evaluated.push_back(step.step);
  EXPECT_EQ(evaluated, (std::vector<uint64_t>{0, 19, 39, 59}));
  EXPECT_EQ(lab.others.taken, 0u) << "rows are read from the beginning, not taken";
  Lab plain(R"({"steps": 60, "batch": 2})", {{"1+2=", "", "3", "{}"}, {"2+2=", "", "4", "{}"}});
  plain.run();
  EXPECT_EQ(lab.model.weight, plain.model.weight) << "evaluation changes nothing of the training";
}

// Stopped anywhere and gone on with from what was saved, it ends with the same parameters after the same steps.
TEST(Sft, EndsWhereTheLossRisesWithTheBestParametersAlsoResumed) {
  const std::string how = R"(, "rows": 2, "every": 2, "stop_after": 3, "keep": "best")";
  HeldOutLab whole(how);
  whole.sgd.learning_rate = 2;
  whole.run();
  const size_t steps = whole.io.steps.size();
  ASSERT_LT(steps, 60u);
  ASSERT_EQ(whole.io.total_steps, steps) << "the host is told";
  double best = 1e9;
  for (const auto& step : whole.io.steps)
    if (step.metrics.count("held_out/loss") != 0) best = std::min(best, step.metric("held_out/loss"));
  EXPECT_NEAR(whole.loss(), best, 1e-6);
  EXPECT_GT(whole.io.steps.back().metric("held_out/loss"), best);
  EXPECT_EQ(whole.io.results.at("model/held-out others/loss"), best);
  for (const uint64_t stop : {uint64_t{0}, uint64_t{3}, uint64_t{steps - 2}}) {
    HeldOutLab parts(how);
    parts.sgd.learning_rate = 2;
    const auto run = [&](const Instance& instance) {
      const tenon_call call = cpu_call();
      ErrorBuffer err;
      err.check(static_cast<const tenon_stage_vt*>(plugin_component().vt)
                    ->run(instance.self(), &call, parts.io.raw(), err));
    };
    std::string state;
    {
      Instance first(plugin_component(), parts.host);
      parts.io.stop_after = stop;
      EXPECT_THROW(run(first), Error);
      state = first.save();
    }
    parts.io.stop_after.reset(), parts.io.set_first_step(stop + 1), parts.sgd.params.clear();
    Instance second(plugin_component(), parts.host);
    second.load(state);
    run(second);
    EXPECT_EQ(parts.model.weight, whole.model.weight) << stop;
    EXPECT_EQ(parts.io.steps.size(), steps) << stop;
    EXPECT_EQ(parts.io.results, whole.io.results) << stop;
  }
}

TEST(Sft, ARowHeldOutThatCannotBeUsedIsAnErrorBeforeTheFirstStep) {
  HeldOutLab lab("");
  RowSet bad({{"1=", "", "", "{}"}});
  lab.host.slot("held_out/data", bad.ref("others"));
  EXPECT_THAT(lab.run_and_fail(), HasSubstr("held_out/data: "));
  EXPECT_EQ(lab.data.taken, 0u);
}

TEST(Sft, StepsOrEpochs) {
  EXPECT_THAT(check_findings(plugin_component(), FakeHost(plugin_component(), "{}")).at(0),
              HasSubstr("steps: give"));
  EXPECT_THAT(
      check_findings(plugin_component(), FakeHost(plugin_component(), R"({"steps": 1, "epochs": 1})")).at(0),
      HasSubstr("give one of them"));
  EXPECT_TRUE(check_findings(plugin_component(), FakeHost(plugin_component(), R"({"epochs": 1})")).empty());
}

}  // namespace
}  // namespace tenon::test
