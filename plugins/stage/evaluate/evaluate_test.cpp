// The stage against its own samples.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <set>

#include "evaluation_metrics/bootstrap.h"
#include "evaluation_metrics/interval.h"
#include "http/testing/server.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using evaluation_metrics::clustered_mean;
using evaluation_metrics::Interval;
using ::testing::HasSubstr;

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    for (auto& [slot, model] : {std::pair("models/0", &base), std::pair("models/1", &trained)}) {
      host.slot(slot, model->ref("policy"));
      host.slot(std::string(slot) + ".tokenizer", tokenizer.ref());
    }
    host.slot("data", data.ref("sums"));
    host.slot("sampler", sampler.ref());
    host.slot("rewards/0", reward.ref("even"));
  }
  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel base{host, 23, 48, 1}, trained{host, 23, 48, 2};
  NaiveSampler sampler;
  RowSet data{{{"1+2=", "", "", "{}"}, {"7=", "", "", "{}"}, {"1+2-3=", "", "", "{}"}}};
  LambdaReward reward{[this](const Sample& s) {
    seen.push_back(std::string(s.prompt) + std::string(s.completion));
    return s.completion.size() % 2 == 0 ? 1.0 : 0.0;
  }};
  std::vector<std::string> seen;
};

const char* kOptions =
    R"({"models": ["base", {"of": "zero", "x": 1}], "data": {"of": "sums", "split": "test"}, "problems": 3, "samples": 5,
  "max_new_tokens": 9, "patterns": [{"name": "digit", "regex": "\\d"}]})";

TEST(Evaluate, NumbersAreThoseOfTheSamples) {
  Lab lab(kOptions);
  run_stage(plugin_component(), lab.host, lab.io);
  ASSERT_EQ(lab.seen.size(), 30u);
  for (int m = 0; m < 2; ++m) {
    std::vector<std::vector<double>> accuracy(3);
    double digits = 0;
    for (int i = 0; i < 15; ++i) {
      const std::string& text = lab.seen[static_cast<size_t>(m * 15 + i)];
      const char* prompt = i < 5 ? "1+2=" : i < 10 ? "7=" : "1+2-3=";
      ASSERT_TRUE(text.starts_with(prompt)) << text;
      std::string completion = text.substr(std::string(prompt).size());
      accuracy[static_cast<size_t>(i / 5)].push_back(completion.size() % 2 == 0 ? 1 : 0);
      digits += completion.find_first_of("0123456789") != std::string::npos ? 1 : 0;
    }
    Interval expected = clustered_mean(accuracy);
    std::string key = m == 0 ? "base/sums/" : "zero/sums/";
    EXPECT_DOUBLE_EQ(lab.io.results.at(key + "accuracy"), expected.mean);
    EXPECT_DOUBLE_EQ(lab.io.results.at(key + "accuracy_low"), expected.low);
    EXPECT_DOUBLE_EQ(lab.io.results.at(key + "accuracy_high"), expected.high);
    EXPECT_DOUBLE_EQ(lab.io.results.at(key + "digit"), digits / 15);
    EXPECT_EQ(lab.io.results.at(key + "samples"), 15);
    EXPECT_DOUBLE_EQ(lab.io.steps.at(static_cast<size_t>(m)).metric("accuracy"), expected.mean);
    EXPECT_EQ(lab.io.results.count(key + "not_judged"), 0u);
    EXPECT_GT(lab.io.results.at(key + "length"), 0);
  }
  EXPECT_EQ(lab.data.taken, 0u) << "rows are read by index, so that every model has the same";
  EXPECT_EQ(lab.io.steps[0].samples.size(), 4u);
}

TEST(Evaluate, IsRepeatableAndModelsAreComparedOnTheSameDraws) {
  Lab a(kOptions), b(kOptions);
  b.host.slot("models/1", b.base.ref());  // the same model twice
  run_stage(plugin_component(), a.host, a.io);
  run_stage(plugin_component(), b.host, b.io);
  for (size_t i = 0; i < 15; ++i) {
    EXPECT_EQ(a.seen[i], b.seen[i]);
    EXPECT_EQ(b.seen[i + 15], b.seen[i]);
  }
}

TEST(Evaluate, OfSeveralRewardsEachIsReported) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even", "size"], "problems": 3, "samples": 5, "max_new_tokens": 9})");
  double sizes = 0, judged = 0;  // of both models
  LambdaReward size{[&](const Sample& s) {
    if (s.prompt == "7=") refuse("not of this one");
    sizes += static_cast<double>(s.completion.size()), ++judged;
    return static_cast<double>(s.completion.size());
  }};
  lab.host.slot("rewards/1", size.ref("size"));
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(judged, 20);
  EXPECT_DOUBLE_EQ(
      (lab.io.results.at("base/sums/reward/size") + lab.io.results.at("zero/sums/reward/size")) / 2,
      sizes / judged);
  EXPECT_EQ(lab.io.results.count("base/sums/reward/even"), 0u) << "the first is the accuracy";
}

TEST(Evaluate, SamplesWithoutANumberAreCountedAndLeftOut) {
  Lab lab(kOptions);
  lab.reward.f = [](const Sample& s) {
    if (s.prompt == "7=") refuse("no gold answer");
    return 1.0;
  };
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.results.at("base/sums/accuracy"), 1.0);
  EXPECT_EQ(lab.io.results.at("base/sums/not_judged"), 5.0);

  Lab none(kOptions);
  none.reward.f = [](const Sample&) -> double { refuse("never"); };
  EXPECT_THROW(run_stage(plugin_component(), none.host, none.io), Error);
}

TEST(Evaluate, AllProblemsOfABoundedSet) {
  Lab lab(R"({"models": ["base", "zero"], "data": "sums", "problems": 0, "benchmark": "held-out"})");
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.results.at("zero/held-out/samples"), 3.0);
}

TEST(Evaluate, AllProblemsOfAnEndlessSetAreAnErrorBeforeTheRun) {
  Lab lab(R"({"models": ["base", "zero"], "data": "sums", "problems": 0})");
  struct Endless {
    int32_t answer = TENON_OK;
    static uint64_t count(void*) { return TENON_COUNT_UNBOUNDED; }
    static int32_t rows(void* self, const tenon_call*, const uint64_t*, uint64_t n, const tenon_row_sink* out,
                        tenon_error* err) {
      const int32_t answer = static_cast<Endless*>(self)->answer;
      if (answer != TENON_OK) return set_error(err, answer, "no rows yet");
      const Row row{"1+2=", "", "", "{}"};
      tenon_row raw = row.raw();
      for (uint64_t i = 0; i < n; ++i) out->row(out->ctx, &raw);
      return TENON_OK;
    }
  } endless;
  static constexpr tenon_dataset_vt table{sizeof table, 0, Endless::count, Endless::rows, nullptr};
  tenon_ref ref = lab.data.ref("sums");
  ref.self = &endless, ref.vt = &table;
  lab.host.slot("data", ref);
  try {
    Instance(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("problems: 0 means all of them, and the data set has no end"));
  }
  endless.answer = TENON_E_STATE;  // rows of a stage that has not run yet
  EXPECT_NO_THROW(Instance(plugin_component(), lab.host));
}

TEST(Evaluate, NoResultTakesThePlaceOfAnother) {
  auto findings = [](const std::string& options) {
    return check_findings(
        plugin_component(),
        FakeHost(plugin_component(), R"({"data": "d", "rewards": ["a"], )" + options + "}"));
  };
  EXPECT_THAT(findings(R"("models": ["base", {"use": "transformer"}, {"use": "transformer", "layers": 2}])"),
              ::testing::ElementsAre(HasSubstr("models.2: two models are called transformer")));
  EXPECT_THAT(findings(R"("models": ["base", {"of": "base", "x": 1}])"),
              ::testing::ElementsAre(HasSubstr("models.1: two models are called base")));
  EXPECT_THAT(findings(R"("models": ["base", "zero"])"), ::testing::IsEmpty());
  for (const char* name : {"accuracy", "truncated", "step", "stage"})
    EXPECT_THAT(
        findings(std::string(R"("models": ["m"], "patterns": [{"name": ")") + name + R"(", "regex": "a"}])"),
        ::testing::ElementsAre(HasSubstr("patterns.0.name: the results have a number called ")));
  EXPECT_THAT(findings(R"("models": ["m"], "samples": 4, "pass_at": [4],
                         "patterns": [{"name": "pass@4_low", "regex": "a"}, {"name": "pass@2", "regex": "a"}])"),
              ::testing::ElementsAre(HasSubstr("patterns.0.name: the results have a number called ")));
  EXPECT_THAT(
      findings(R"("models": ["m"], "patterns": [{"name": "accuracy/x", "regex": "a"}])"),
      ::testing::ElementsAre(HasSubstr("patterns.0.name: numbers of domains and rewards begin with ")));
  EXPECT_THAT(findings(R"("models": ["m"], "patterns": [{"name": "p", "regex": "a(b"}])"),
              ::testing::ElementsAre(HasSubstr("patterns.0.regex: ")));
  EXPECT_THAT(
      findings(R"("models": ["m"], "patterns": [{"name": "p", "regex": "a"}, {"name": "p", "regex": "b"}])"),
      ::testing::ElementsAre(HasSubstr("patterns.1.name: two patterns are called p")));

  // What `{use: transformer}` leads to is known once the components are there.
  Lab lab(R"({"models": [{"use": "policy"}, {"use": "model/policy"}], "data": "sums"})");
  try {
    Instance(plugin_component(), lab.host);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("models.1: two models are called policy"));
  }
}

// The vote over all samples by hand: equal texts are one answer, a tie is shared.
double vote_of(const std::vector<std::pair<std::string, double>>& samples) {
  std::map<std::string, std::pair<double, double>> votes;  // number, right
  for (const auto& [text, right] : samples)
    if (!text.empty()) votes[text].first += 1, votes[text].second += right;
  double most = 0, right = 0, tied = 0;
  for (const auto& [text, vote] : votes) most = std::max(most, vote.first);
  for (const auto& [text, vote] : votes)
    if (vote.first == most) right += vote.second / vote.first, ++tied;
  return tied == 0 ? 0 : right / tied;
}

TEST(Evaluate, PassAtKAndConsAtKAreThoseOfTheSamples) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even"], "problems": 3, "samples": 5, "max_new_tokens": 2,
    "pass_at": [1, 3], "cons_at": [5, 1], "vote": {"by": "text", "extract": "whole"}, "all_samples": true})");
  run_stage(plugin_component(), lab.host, lab.io);
  double pass = 0, cons = 0;
  for (int i = 0; i < 3; ++i) {
    std::vector<std::pair<std::string, double>> samples;
    double right = 0;
    for (int k = 0; k < 5; ++k) {
      const std::string prompt = i == 0 ? "1+2=" : i == 1 ? "7=" : "1+2-3=";
      const std::string text = lab.seen[static_cast<size_t>(i * 5 + k)].substr(prompt.size());
      samples.emplace_back(text, text.size() % 2 == 0 ? 1 : 0);
      right += samples.back().second;
    }
    const double wrong = 5 - right;
    pass += 1 - wrong * (wrong - 1) * (wrong - 2) / 60;  // C(wrong, 3) / C(5, 3)
    cons += vote_of(samples);
  }
  EXPECT_NEAR(lab.io.results.at("base/sums/pass@3"), pass / 3, 1e-12);
  EXPECT_NEAR(lab.io.results.at("base/sums/pass@1"), lab.io.results.at("base/sums/accuracy"), 1e-12);
  for (const char* end : {"_low", "_high"})
    EXPECT_NEAR(lab.io.results.at(std::string("base/sums/pass@1") + end),
                lab.io.results.at(std::string("base/sums/accuracy") + end), 1e-12);
  EXPECT_NEAR(lab.io.results.at("base/sums/cons@5"), cons / 3, 1e-12);
  EXPECT_LT(lab.io.results.at("base/sums/pass@3_low"), pass / 3);
  EXPECT_GT(lab.io.results.at("base/sums/cons@5_high"), lab.io.results.at("base/sums/cons@5_low"));
  ASSERT_EQ(lab.io.steps[0].samples.size(), 15u);
  for (int i = 0; i < 15; ++i) {
    const auto line = boost::json::parse(lab.io.steps[0].samples[static_cast<size_t>(i)]).as_object();
    EXPECT_EQ(line.at("model"), "base");
    const std::string completion(line.at("completion").as_string());
    if (completion.empty())
      EXPECT_TRUE(line.at("vote").is_null());
    else
      EXPECT_EQ(line.at("vote"), line.at("completion"));
  }
}

TEST(Evaluate, SeveralBenchmarksAreARowEach) {
  Lab lab(R"({"models": ["base", "zero"], "samples": 2, "benchmarks": [
    {"name": "one", "data": "sums", "rewards": ["even"], "problems": 3, "domain": "kind"},
    {"data": {"of": "more"}, "rewards": ["odd", "even"], "problems": 1, "samples": 4, "max_new_tokens": 3, "pass_at": [2]}]})");
  RowSet kinds{{{"1+2=", "", "", R"({"kind": "a"})"},
                {"7=", "", "", R"({"kind": "b"})"},
                {"1+2-3=", "", "", R"({"kind": "a"})"}}};
  LambdaReward odd{[](const Sample& s) { return s.completion.size() % 2 == 1 ? 1.0 : 0.0; }};
  lab.host.slot("benchmarks/0/data", kinds.ref("sums"));
  lab.host.slot("benchmarks/0/rewards/0", lab.reward.ref("even"));
  lab.host.slot("benchmarks/1/data", lab.data.ref("more"));
  lab.host.slot("benchmarks/1/rewards/0", odd.ref("odd"));
  lab.host.slot("benchmarks/1/rewards/1", lab.reward.ref("even"));
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.total_steps, 4u);
  ASSERT_EQ(lab.io.steps.size(), 4u);
  EXPECT_EQ(lab.io.results.at("zero/one/samples"), 6);
  EXPECT_EQ(lab.io.results.at("zero/more/samples"), 4);
  EXPECT_LE(lab.io.results.at("base/more/length"), 3);
  EXPECT_EQ(lab.io.results.at("base/more/accuracy") + lab.io.results.at("base/more/reward/even"), 1);
  EXPECT_EQ(lab.io.results.count("base/one/pass@2"), 0u);
  EXPECT_NEAR(
      (4 * lab.io.results.at("base/one/accuracy/a") + 2 * lab.io.results.at("base/one/accuracy/b")) / 6,
      lab.io.results.at("base/one/accuracy"), 1e-12);

  // In the middle of it a run goes on with the same random numbers.
  Lab half(R"({"models": ["base", "zero"], "samples": 2, "benchmarks": [
    {"name": "one", "data": "sums", "rewards": ["even"], "problems": 3, "domain": "kind"},
    {"data": {"of": "more"}, "rewards": ["odd", "even"], "problems": 1, "samples": 4, "max_new_tokens": 3, "pass_at": [2]}]})");
  half.host.slot("benchmarks/0/data", kinds.ref("sums"));
  half.host.slot("benchmarks/0/rewards/0", lab.reward.ref("even"));
  half.host.slot("benchmarks/1/data", lab.data.ref("more"));
  half.host.slot("benchmarks/1/rewards/0", odd.ref("odd"));
  half.host.slot("benchmarks/1/rewards/1", lab.reward.ref("even"));
  half.io.set_first_step(3);
  run_stage(plugin_component(), half.host, half.io);
  ASSERT_EQ(half.io.steps.size(), 1u);
  EXPECT_EQ(half.io.steps[0].metrics, lab.io.steps[3].metrics);
}

// Two benchmarks whose first has three problems, one a step, and the second two; a vote, domains and rewards that fail.
struct Steps : Lab {
  explicit Steps(int per_step = 2)
      : Lab(R"({"models": ["base", "zero"], "samples": 2, "completions_per_step": )" +
            std::to_string(per_step) +
            R"(, "benchmarks": [
    {"name": "one", "data": "sums", "rewards": ["even", "size"], "problems": 3, "domain": "kind", "pass_at": [1, 2], "cons_at": [2],
     "vote": {"by": "text", "extract": "whole"}, "patterns": [{"name": "digit", "regex": "\\d"}]},
    {"data": {"of": "more"}, "rewards": ["even"], "problems": 2, "samples": 1}]})") {
    host.slot("benchmarks/0/data", kinds.ref("sums"));
    host.slot("benchmarks/0/rewards/0", reward.ref("even"));
    host.slot("benchmarks/0/rewards/1", size.ref("size"));
    host.slot("benchmarks/1/data", data.ref("more"));
    host.slot("benchmarks/1/rewards/0", reward.ref("even"));
  }
  RowSet kinds{{{"1+2=", "", "", R"({"kind": "a"})"},
                {"7=", "", "", R"({"kind": "b"})"},
                {"1+2-3=", "", "", R"({"other": 1})"}}};
  LambdaReward size{[](const Sample& s) {
    if (s.completion.size() % 3 == 0) refuse("by three");
    return static_cast<double>(s.completion.size()) / 7;
  }};
};

std::vector<std::string> samples_of(const FakeIo& io) {
  std::vector<std::string> all;
  for (const FakeIo::Step& step : io.steps) all.insert(all.end(), step.samples.begin(), step.samples.end());
  return all;
}

TEST(Evaluate, AStepIsAPartOfABenchmarkAndNoNumberDependsOnItsSize) {
  Steps small, whole(64);
  run_stage(plugin_component(), small.host, small.io);
  run_stage(plugin_component(), whole.host, whole.io);
  EXPECT_EQ(small.io.total_steps, 8u);
  ASSERT_EQ(small.io.steps.size(), 8u);
  ASSERT_EQ(whole.io.steps.size(), 4u);
  EXPECT_EQ(small.io.results, whole.io.results);
  EXPECT_EQ(samples_of(small.io), samples_of(whole.io));
  EXPECT_EQ(small.seen, whole.seen);
  for (const size_t step : {0u, 1u, 4u, 5u})
    EXPECT_EQ(small.io.steps[step].metrics.count("accuracy"), 0u) << "the results come with the last step";
  EXPECT_EQ(small.io.steps[2].metrics, whole.io.steps[0].metrics);
  EXPECT_EQ(small.io.steps[7].metrics, whole.io.steps[3].metrics);
}

TEST(Evaluate, StoppedAfterAnyStepItGoesOnToTheSameNumbers) {
  const auto run = [](const Instance& stage, const Steps& lab) {
    const tenon_call call = cpu_call();
    ErrorBuffer err;
    return static_cast<const tenon_stage_vt*>(plugin_component().vt)
        ->run(stage.self(), &call, lab.io.raw(), err);
  };
  Steps whole;
  {
    Instance stage(plugin_component(), whole.host);
    ASSERT_EQ(run(stage, whole), TENON_OK);
  }
  for (uint64_t last = 0; last + 1 < whole.io.steps.size(); ++last) {
    Steps before, after;
    std::string state;
    {
      Instance stage(plugin_component(), before.host);
      before.io.stop_after = last;
      ASSERT_EQ(run(stage, before), TENON_E_CANCELLED);
      state = stage.save();
    }
    Instance stage(plugin_component(), after.host);
    stage.load(state);
    after.io.set_first_step(last + 1);
    ASSERT_EQ(run(stage, after), TENON_OK);
    auto results = before.io.results;
    results.merge(after.io.results);
    EXPECT_EQ(results, whole.io.results) << "stopped after step " << last;
    auto samples = samples_of(before.io);
    for (const std::string& sample : samples_of(after.io)) samples.push_back(sample);
    EXPECT_EQ(samples, samples_of(whole.io)) << "stopped after step " << last;
  }
}

TEST(Evaluate, ProblemsThatAnEstimateLacksSamplesOfAreTold) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even"], "problems": 3, "samples": 4, "max_new_tokens": 9,
    "pass_at": [1, 3], "cons_at": [4], "vote": {"by": "text", "extract": "whole"}})");
  int n = 0;
  lab.reward.f = [&](const Sample& s) -> double {  // of the second problem two samples are judged
    if (s.prompt == "7=" && n++ % 2 == 0) refuse("unclear");
    return 1.0;
  };
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.results.at("base/sums/not_judged"), 2);
  EXPECT_EQ(lab.io.results.at("base/sums/pass@3_problems"), 2);
  EXPECT_EQ(lab.io.results.at("base/sums/cons@4_problems"), 2);
  EXPECT_EQ(lab.io.results.count("base/sums/pass@1_problems"), 0u) << "all three have one";
}

TEST(Evaluate, NoDomainIsTakenForAnotherOrForAnInterval) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even"], "problems": 5, "domain": "kind"})");
  RowSet kinds{{{"1+2=", "", "", R"({"kind": "x"})"},
                {"7=", "", "", R"({"kind": "x_high"})"},
                {"1+2-3=", "", "", R"x({"kind": "(none)"})x"},
                {"1+1=", "", "", "{}"},
                {"2=", "", "", R"({"kind": 3})"}}};
  lab.host.slot("data", kinds.ref("sums"));
  lab.reward.f = [](const Sample& s) { return s.prompt == "7=" || s.prompt == "1+1=" ? 1.0 : 0.0; };
  run_stage(plugin_component(), lab.host, lab.io);
  const std::map<std::string, double> expected{
      {"/x", 0}, {"/x_high", 1}, {"/\"(none)\"", 0}, {"/(none)", 1}, {"/3", 0}};
  for (const auto& [part, accuracy] : expected) {
    EXPECT_EQ(lab.io.results.at("base/sums/accuracy" + part), accuracy) << part;
    EXPECT_LE(lab.io.results.at("base/sums/accuracy_low" + part), accuracy) << part;
    EXPECT_GE(lab.io.results.at("base/sums/accuracy_high" + part), accuracy) << part;
  }
}

TEST(Evaluate, ADataSetWithoutRowsIsAnError) {
  Lab lab(R"({"models": ["base", "zero"], "data": "sums", "problems": 0})");
  RowSet nothing{{}};
  lab.host.slot("data", nothing.ref("sums"));
  try {
    run_stage(plugin_component(), lab.host, lab.io);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("benchmark sums: its data set has no rows"));
  }
}

TEST(Evaluate, IntervalsByBootstrapAndWhatItCosts) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even"], "problems": 3, "samples": 5, "max_new_tokens": 9,
    "interval": "bootstrap", "resamples": 200, "price": {"input": 1e6, "output": 2e6}})");
  run_stage(plugin_component(), lab.host, lab.io);
  std::vector<std::vector<double>> accuracy(3);
  for (int i = 0; i < 15; ++i) {
    const size_t prompt = i < 5 ? 4 : i < 10 ? 2 : 6;
    accuracy[static_cast<size_t>(i / 5)].push_back(
        (lab.seen[static_cast<size_t>(i)].size() - prompt) % 2 == 0 ? 1 : 0);
  }
  const Interval expected =
      evaluation_metrics::bootstrap_mean(accuracy, {.resamples = 200, .seed = Host(lab.host.raw()).seed()});
  EXPECT_DOUBLE_EQ(lab.io.results.at("base/sums/accuracy_low"), expected.low);
  EXPECT_DOUBLE_EQ(lab.io.results.at("base/sums/accuracy_high"), expected.high);
  EXPECT_DOUBLE_EQ(lab.io.results.at("base/sums/prompt_length"), 4.0);
  EXPECT_NEAR(lab.io.results.at("base/sums/cost"), 15 * 4 + 2 * 15 * lab.io.results.at("base/sums/length"),
              1e-9);
}

TEST(Evaluate, VotesThatTheRewardDoesNotUnderstandAreCounted) {
  Lab lab(
      R"({"models": ["base", "zero"], "data": "sums", "rewards": ["even"], "problems": 3, "samples": 5, "max_new_tokens": 9,
    "cons_at": [5], "vote": {"by": "text", "extract": "boxed"}})");
  lab.reward.f = [](const Sample&) { return 1.0; };
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.results.at("base/sums/vote_conflicts"), 3) << "all are right and none has a vote";
  EXPECT_EQ(lab.io.results.at("base/sums/cons@5"), 0);
}

TEST(Evaluate, WhatCannotBeEstimatedIsFoundBefore) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(),
                          FakeHost(plugin_component(), R"({"models": ["m"], )" + options + "}"));
  };
  const std::string one = R"("data": "d", "rewards": ["a"], )";
  EXPECT_THAT(findings(one + R"("samples": 8, "pass_at": [1, 9])"),
              ::testing::ElementsAre(
                  "pass_at.1: 9 completions of a problem are looked at, and there are samples: 8"));
  EXPECT_THAT(findings(one + R"("samples": 8, "pass_at": [2, 2])"),
              ::testing::ElementsAre("pass_at.1: 2 is there twice"));
  EXPECT_THAT(
      findings(one + R"("samples": 2048, "cons_at": [2048, 64])"),
      ::testing::ElementsAre(HasSubstr("cons_at.1: a vote of fewer than all samples needs samples: 1024")));
  EXPECT_THAT(findings(one + R"("vote": {"by": "number"})"),
              ::testing::ElementsAre("vote.by: only cons_at counts votes"));
  EXPECT_THAT(findings(R"("rewards": ["a"])"),
              ::testing::ElementsAre(HasSubstr("data: is missing: give `data` and `rewards`")));
  EXPECT_THAT(findings(R"("data": "d", "benchmarks": [{"data": "x", "rewards": ["a"]}])"),
              ::testing::ElementsAre("data: with `benchmarks` each has its own"));
  EXPECT_THAT(
      findings(R"("benchmarks": [{"data": "x", "rewards": ["a"]}, {"data": {"of": "x"}, "rewards": ["a"]}])"),
      ::testing::ElementsAre(HasSubstr("benchmarks.1: two benchmarks are called x")));
  EXPECT_THAT(
      findings(
          R"("samples": 4, "benchmarks": [{"data": "x", "rewards": ["a"], "samples": 2, "pass_at": [4]}])"),
      ::testing::ElementsAre(HasSubstr("benchmarks.0.pass_at.0: 4 completions")));
}

// A server whose model answers "4" to 1+2= and 7= and is cut at a thought else; by the seed, every fifth answer is of no use at first.
TEST(Evaluate, AServerIsJudgedByTheSameCode) {
  std::mutex mutex;
  std::vector<boost::json::object> asked;
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (seen.method == "GET") return {200, R"({"data": []})", {}};
    const auto body = boost::json::parse(seen.body).as_object();
    const std::string prompt(body.at("messages").at(0).at("content").as_string());
    const std::lock_guard lock(mutex);
    asked.push_back(body);
    if (asked.size() == 2) return {200, R"({"choices": []})", {}};
    const std::string message =
        prompt == "1+2-3=" ? R"({"reasoning_content": "hm", "content": null})" : R"({"content": "4é"})";
    return {200,
            R"({"choices": [{"message": )" + message + R"(, "finish_reason": ")" +
                (prompt == "1+2-3=" ? "length" : "stop") +
                R"("}], "usage": {"prompt_tokens": 10, "completion_tokens": 3}})",
            {}};
  });
  FakeHost host(
      plugin_component(),
      R"({"server": {"url": ")" + server.url("/v1") +
          R"(", "model": "big", "backoff": "0s"}, "data": "sums", "rewards": ["right"], "problems": 3,
      "samples": 2, "temperature": 0.6, "max_new_tokens": 50, "pass_at": [2], "all_samples": true, "price": {"output": 1e6}})");
  const std::string folder = ::testing::TempDir() + "tenon-evaluate-" + std::to_string(::getpid());
  FakeIo io(host, folder);
  RowSet data{{{"1+2=", "", "", "{}"},
               {"", R"([{"role": "user", "content": "7="}])", "", "{}"},
               {"1+2-3=", "", "", "{}"}}};
  NaiveSampler sampler;
  std::vector<std::string> seen;
  LambdaReward right{[&](const Sample& s) {
    seen.push_back(std::string(s.prompt) + " " + std::string(s.completion));
    return s.completion == "4é" ? 1.0 : 0.0;
  }};
  host.slot("data", data.ref("sums")), host.slot("sampler", sampler.ref()),
      host.slot("rewards/0", right.ref("right"));
  run_stage(plugin_component(), host, io);
  EXPECT_NEAR(io.results.at("big/sums/accuracy"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(io.results.at("big/sums/pass@2"), 2.0 / 3, 1e-12);
  EXPECT_EQ(io.results.at("big/sums/length"), 3);
  EXPECT_NEAR(io.results.at("big/sums/truncated"), 1.0 / 3, 1e-12);
  EXPECT_EQ(io.results.at("big/sums/cost"), 18);
  EXPECT_THAT(seen, ::testing::ElementsAre("1+2= 4é", "1+2= 4é", "7= 4é", "7= 4é", "1+2-3= <think>hm</think>",
                                           "1+2-3= <think>hm</think>"));
  EXPECT_EQ(asked.size(), 7u) << "the answer without choices was asked for again";
  std::set<int64_t> seeds;
  for (const auto& body : asked) {
    EXPECT_EQ(body.at("model"), "big");
    EXPECT_EQ(body.at("temperature"), 0.6);
    EXPECT_EQ(body.at("max_tokens"), 50);
    EXPECT_FALSE(body.contains("top_p"));
    seeds.insert(body.at("seed").to_number<int64_t>());
  }
  EXPECT_EQ(seeds.size(), 7u) << "asked for again, with another seed";
  EXPECT_THAT(io.steps[0].samples[4], HasSubstr("\"tokens\":3"));
  std::filesystem::remove_all(folder);
}

class EvaluateServer : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("tenon-evaluate-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // Three problems, two completions each, one problem a step.
  std::map<std::string, double> evaluate(const http::testing::Server& server,
                                         const std::string& options = "") {
    FakeHost host(plugin_component(), "{" + options + R"("server": {"url": ")" + server.url("/v1") +
                                          R"(", "model": "big", "backoff": "0s"}, "data": "sums",
      "rewards": ["right"], "problems": 3, "samples": 2, "completions_per_step": 2, "price": {"output": 1e6}})");
    FakeIo io(host, folder_.string());
    RowSet data{{{"1+2=", "", "", "{}"}, {"7=", "", "", "{}"}, {"1+2-3=", "", "", "{}"}}};
    NaiveSampler sampler;
    LambdaReward right{[](const Sample& s) { return s.completion == "4" ? 1.0 : 0.0; }};
    host.slot("data", data.ref("sums")), host.slot("sampler", sampler.ref()),
        host.slot("rewards/0", right.ref("right"));
    run_stage(plugin_component(), host, io);
    return io.results;
  }
  std::filesystem::path folder_;
};

TEST_F(EvaluateServer, WhatItAnsweredIsNotPaidForTwice) {
  std::atomic<int> asked{0};
  std::atomic<bool> is_ill{true};
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (seen.method == "GET") return {200, "{}", {}};
    ++asked;
    const auto body = boost::json::parse(seen.body).as_object();
    if (is_ill && body.at("messages").at(0).at("content") == "7=" && body.at("seed") == 3)
      return {402, "no money", {}};
    return {
        200,
        R"({"choices": [{"message": {"content": "4"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})",
        {}};
  });
  try {
    evaluate(server);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("1 of 2 completions could not be had from the server, first: "));
    EXPECT_THAT(e.what(), HasSubstr("402"));
    EXPECT_THAT(e.what(), HasSubstr("The 1 that came are kept and not asked for again"));
  }
  EXPECT_EQ(asked, 4);
  is_ill = false;
  const auto results = evaluate(server);
  EXPECT_EQ(asked, 7) << "from its beginning, and asked for is what was not there yet";
  EXPECT_EQ(results.at("big/sums/accuracy"), 1);
  EXPECT_EQ(results.at("big/sums/cost"), 12);
}

TEST_F(EvaluateServer, AQuestionThatItRefusesIsNeitherRightNorWrong) {
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (seen.method == "GET") return {200, "{}", {}};
    if (boost::json::parse(seen.body).at("messages").at(0).at("content") == "7=")
      return {400, "too long", {}};
    return {
        200,
        R"({"choices": [{"message": {"content": "4"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})",
        {}};
  });
  try {
    evaluate(server);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(
        e.what(),
        HasSubstr("2 of 6 questions have no answer from the server; of this step 2, first: row \"7=\""));
    EXPECT_THAT(e.what(), HasSubstr("status 400"));
    EXPECT_THAT(e.what(), HasSubstr("more than max_unanswered = 0.1"));
  }
  const auto results = evaluate(server, R"("max_unanswered": 0.34,)");
  EXPECT_EQ(results.at("big/sums/accuracy"), 1);
  EXPECT_EQ(results.at("big/sums/not_judged"), 2);
  EXPECT_EQ(results.at("big/sums/samples"), 6);
  EXPECT_EQ(results.at("big/sums/cost"), 8) << "nothing was paid for those";
}

TEST_F(EvaluateServer, OneThatDoesNotCountTokensIsMeasuredAllTheSame) {
  std::atomic<int> asked{0};
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (seen.method != "GET") ++asked;
    return {200, R"({"choices": [{"message": {"content": "4"}, "finish_reason": "length"}]})", {}};
  });
  const auto results = evaluate(server);
  EXPECT_EQ(asked, 6) << "an answer without usage is an answer";
  EXPECT_EQ(results.at("big/sums/accuracy"), 1);
  EXPECT_EQ(results.at("big/sums/truncated"), 1);
  EXPECT_TRUE(std::isnan(results.at("big/sums/length")));
  EXPECT_TRUE(std::isnan(results.at("big/sums/cost")));
}

TEST(Evaluate, FindsOptionsWithoutEffect) {
  auto findings = [](const char* options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(findings(R"({"models": ["m"], "data": "d", "rewards": ["a"], "top_k": 5})"), Lines());
  EXPECT_EQ(findings(R"({"models": ["m"], "data": "d", "rewards": ["a"], "top_k": 5, "temperature": 0})"),
            Lines{"top_k: with temperature: 0 the most likely token is always taken"});
  EXPECT_EQ(findings(R"({"models": ["m"], "data": "d", "rewards": [{"of": "a", "weight": 2}]})"),
            Lines{"rewards.0.weight: the sum is reported of several rewards only"});
  EXPECT_EQ(findings(R"({"models": ["m"], "data": "d", "rewards": [{"of": "a", "weight": 2}, "b"]})"),
            Lines());
}

}  // namespace
}  // namespace tenon::test
