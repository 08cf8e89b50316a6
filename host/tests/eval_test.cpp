// Benchmark files, the configurations made of them, and the table.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>

#include "host/eval_config.h"
#include "host/eval_report.h"
#include "host/resolved_yaml.h"

namespace tenon::host {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::HasSubstr;

class Eval : public testing::Test {
 protected:
  Eval() {
    std::string name = (fs::temp_directory_path() / "tenon-eval-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    ::setenv("TENON_BENCH_PATH", dir_.c_str(), 1);
  }
  ~Eval() override {
    fs::remove_all(dir_);
    ::unsetenv("TENON_BENCH_PATH");
  }
  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }
  BenchmarkFile bench(const std::string& name, const std::string& more = "") const {
    write(name + ".yaml",
          "about: sums\nsource: nowhere\nlicence: MIT\n"
          "data: {use: jsonl, file: rows.jsonl, template: \"{q}\\nA:\", as: messages}\n"
          "rewards: [{use: math}]\n" +
              more);
    Diagnostics diagnostics;
    return find_benchmark(name, diagnostics);
  }
  static std::string error_of(const std::function<void()>& body) {
    try {
      body();
    } catch (const UserError& e) {
      const Mark& m = e.mark();
      const std::string place =
          m.file.empty() ? "" : fs::path(m.file).filename().string() + ":" + std::to_string(m.line) + ": ";
      return place + e.what();
    }
    return "no error";
  }

  fs::path dir_;
};

TEST_F(Eval, ABenchmarkFileIsReadAndItsMistakesHavePlaces) {
  const BenchmarkFile b = bench("sums", "evaluate: {temperature: 0.6, vote: {by: number}}\n");
  EXPECT_EQ(b.about, "sums");
  EXPECT_EQ(b.data.at("file").as_string(), (dir_ / "rows.jsonl").string());
  EXPECT_EQ(b.data.at("template").as_string(), "{q}\nA:");
  EXPECT_EQ(b.evaluate.at("temperature"), 0.6);

  const auto mistake = [&](const std::string& text) {
    write("bad.yaml", text);
    return error_of([] {
      Diagnostics d;
      find_benchmark("bad", d);
    });
  };
  EXPECT_THAT(mistake("about: a\nsource: b\nlicense: c\n"),
              HasSubstr("bad.yaml:3: unknown key \"license\" of a benchmark. Did you mean \"licence\"?"));
  EXPECT_THAT(mistake("about: a\nsource: b\nlicence: c\n"), HasSubstr("bad.yaml:1: data is missing"));
  EXPECT_THAT(mistake("about: a\nsource: b\nlicence: c\ndata: {of: x}\nrewards: []\n"),
              HasSubstr("bad.yaml:4: data: takes a data set in place"));
  EXPECT_THAT(mistake("about: a\nsource: b\nlicence: c\ndata: {use: jsonl}\nrewards: math\n"),
              HasSubstr("bad.yaml:5: rewards: takes a list of rewards"));
  write("bad.yaml", "about: a\nsource: b\nlicence: c\ndata: {use: jsonl}\nrewards: [{use: math}]\n");
  EXPECT_THAT(error_of([] {
                Diagnostics d;
                find_benchmark("sum", d);
              }),
              HasSubstr("--bench sum: there is no such benchmark. Did you mean \"sums\"?"));
}

TEST_F(Eval, AModelAndBenchmarksBecomeAConfiguration) {
  EvalArguments a;
  a.model = write("My model.Q4.gguf", "").string();
  a.data["sums"] = write("all.jsonl", "").string();
  a.samples = 8, a.temperature = 0.7, a.pass_at = {1, 8}, a.cons_at = {8}, a.problems = 20;
  a.runs = dir_ / "runs";
  const EvalConfig c = make_eval_config(
      a, {bench("sums", "evaluate: {max_new_tokens: 100, vote: {by: number}}\n"), bench("more")});
  EXPECT_EQ(c.run, "eval-My-model-Q4-sums-more");
  EXPECT_EQ(c.model, "My-model-Q4");
  EXPECT_FALSE(c.taken.has_value());
  EXPECT_EQ(
      to_yaml(c.yaml),
      "run:\n  name: eval-My-model-Q4-sums-more\n  runs: " + (dir_ / "runs").string() +
          "\n  seed: 1\n"
          "sinks:\n  - use: console\n    chart: false\n    table: false\n"
          "components:\n  tokens:\n    use: byte-bpe\n    file: \"" +
          a.model + "\"\n  My-model-Q4:\n    use: transformer\n    weights: \"" + a.model +
          "\"\n    tokenizer: tokens\n    max_len: 1536\n"
          "  sums:\n    use: jsonl\n    file: " +
          (dir_ / "all.jsonl").string() +
          "\n    template: \"{q}\\nA:\"\n    as: messages\n"
          "  more:\n    use: jsonl\n    file: " +
          (dir_ / "rows.jsonl").string() +
          "\n    template: \"{q}\\nA:\"\n    as: messages\n"
          "pipeline:\n  - name: eval\n    use: evaluate\n    models: [My-model-Q4]\n"
          "    all_samples: true\n    benchmarks:\n"
          "      - name: sums\n        data: sums\n        rewards:\n          - use: math\n"
          "        problems: 20\n        max_new_tokens: 100\n        vote:\n          by: number\n"
          "        samples: 8\n        temperature: 0.7\n        pass_at: [1, 8]\n        cons_at: [8]\n"
          "      - name: more\n        data: more\n        rewards:\n          - use: math\n"
          "        problems: 20\n        max_new_tokens: 512\n"
          "        samples: 8\n        temperature: 0.7\n        pass_at: [1, 8]\n        cons_at: [8]\n");
}

TEST_F(Eval, AServerTakesTheModelsPlace) {
  EvalArguments a;
  a.server = "http://127.0.0.1:8000/v1", a.model = "org/Big-7B", a.token_env = "KEY";
  const EvalConfig c = make_eval_config(a, {bench("sums")});
  EXPECT_EQ(c.model, "org/Big-7B");
  EXPECT_EQ(c.run, "eval-org-Big-7B-sums");
  const json::object stage = c.yaml.at("pipeline").at(0).as_object();
  EXPECT_FALSE(stage.contains("models"));
  EXPECT_EQ(
      stage.at("server"),
      (json::value{{"url", "http://127.0.0.1:8000/v1"}, {"model", "org/Big-7B"}, {"token_env", "KEY"}}));
  EXPECT_EQ(c.yaml.at("components").as_object().size(), 1u);
  a.is_text = true;
  EXPECT_THAT(error_of([&] { make_eval_config(a, {bench("sums")}); }),
              HasSubstr("--text: a server is asked for chat"));
}

TEST_F(Eval, WhatCannotBeIsSaid) {
  const BenchmarkFile one = bench("one"), two = bench("two");
  EvalArguments a;
  a.model = "nowhere.gguf";
  const auto error = [&](const std::vector<BenchmarkFile>& benchmarks) {
    return error_of([&] { make_eval_config(a, benchmarks); });
  };
  EXPECT_THAT(error({one}), HasSubstr("nowhere.gguf: no such file or folder. MODEL is a GGUF file"));
  a.model = write("m.gguf", "").string();
  a.data[""] = a.model;
  EXPECT_THAT(error({one, two}), HasSubstr("which benchmark? With several, give --data NAME=FILE"));
  a.data = {{"three", "x"}};
  EXPECT_THAT(error({one}), HasSubstr("three is not among --bench"));
  a.data = {{"one", "x.jsonl"}};
  EXPECT_THAT(error({one}), HasSubstr("--data x.jsonl: no such file"));
  a.data.clear();
  BenchmarkFile without = one;
  without.data.erase("file");
  EXPECT_THAT(error({without}), HasSubstr("no rows ship with the benchmark one: give --data FILE, nowhere"));
  write("run/config.yaml", "run: {name: x}\npipeline: [{name: base, use: pretrain}]\ncomponents: {}\n");
  fs::create_directories(dir_ / "run/stages");
  a.model = (dir_ / "run").string() + ":bases";
  EXPECT_THAT(error({one}), HasSubstr("has no such stage. Did you mean \"base\"? It has: base"));
  a.model = (dir_ / "run").string();
  EXPECT_THAT(error({one}), HasSubstr("is the folder of a run: name one of its stages"));
  fs::create_directories(dir_ / "run/stages/base-0123456789ab/checkpoints/7");
  a.model = (dir_ / "run/stages/base-0123456789ab/checkpoints/7").string();
  const EvalConfig c = make_eval_config(a, {one});
  EXPECT_EQ(c.model, "base");
  EXPECT_THAT(c.taken->stages, ::testing::ElementsAre("base"));
  fs::create_directories(dir_ / "run/stages/base-0123456789ab/checkpoints/10");
  EXPECT_THAT(error({one}), HasSubstr("is a checkpoint in the middle of its stage"));
}

TEST_F(Eval, AStageOfALoopIsTakenUpToItsRoundAndNoNameIsTakenTwice) {
  write("run/config.yaml", R"(run: {name: x}
components: {eval: {use: running-sum}, policy: {use: transformer}}
pipeline:
  - {name: base, use: pretrain, data: eval, model: policy}
  - repeat: 3
    name: loop
    stages:
      - {name: b, use: sft, from: {first: base, then: b}, data: eval}
      - {name: eval-bench, use: evaluate, models: [b], data: eval}
  - {name: last, use: sft, from: loop.b, data: eval}
)");
  fs::create_directories(dir_ / "run/stages");
  const BenchmarkFile one = bench("one");
  const auto config = [&](const std::string& stage) {
    EvalArguments a;
    a.model = (dir_ / "run").string() + ":" + stage;
    return make_eval_config(a, {one});
  };
  const EvalConfig second = config("loop.2.b");
  EXPECT_EQ(second.model, "loop.2.b");
  EXPECT_EQ(second.run, "eval-run-loop-2-b-one");
  EXPECT_EQ(second.stage, "eval-bench-bench") << "a component and a stage have the names before it";
  EXPECT_THAT(second.taken->stages, ::testing::ElementsAre("base", "loop.1.b", "loop.1.eval-bench",
                                                           "loop.2.b", "loop.2.eval-bench"));
  const json::array& pipeline = second.yaml.at("pipeline").as_array();
  ASSERT_EQ(pipeline.size(), 3u);
  EXPECT_EQ(pipeline[1].at("repeat"), 2);
  EXPECT_EQ(pipeline[2].at("name"), "eval-bench-bench");
  EXPECT_EQ(pipeline[2].at("models"), json::value({"loop.2.b"}));

  EXPECT_EQ(config("loop.b").model, "loop.3.b");
  EXPECT_EQ(config("base").taken->stages.size(), 1u);
  EXPECT_EQ(config("last").yaml.at("pipeline").at(1).at("repeat"), 3);
  EXPECT_THAT(error_of([&] { config("loop.4.b"); }),
              HasSubstr("has no such stage. Did you mean \"loop.1.b\"? It has: base, loop.1.b, "));
  EXPECT_THAT(error_of([&] { config("loop"); }), HasSubstr("has no such stage."));
  EXPECT_THAT(error_of([&] { config("b"); }), HasSubstr("has no such stage."));
}

TEST_F(Eval, TheTableHasARowABenchmark) {
  write(
      "eval.json",
      R"({"eval": {"m": {"gsm8k": {"accuracy": 0.5, "accuracy_low": 0.25, "accuracy_high": 0.75, "pass@4": 0.8,
    "pass@4_low": 0.7, "pass@4_high": 0.9, "length": 100, "truncated": 0.125, "samples": 40, "not_judged": 2},
    "mgsm": {"accuracy": 0.1, "accuracy_low": 0, "accuracy_high": 0.2, "length": 10, "truncated": 0, "samples": 10,
    "pass@4": 0.3, "pass@4_low": 0.2, "pass@4_high": 0.4, "pass@4_problems": 9,
    "accuracy/de": 0.2, "accuracy_low/de": 0.1, "accuracy_high/de": 0.3}}}})");
  write("timings.jsonl",
        "{\"stage\":\"base\",\"step\":0,\"rollout\":9}\n"
        "{\"stage\":\"eval\",\"step\":0,\"rollout\":5,\"reward\":1}\n"
        "{\"stage\":\"eval\",\"step\":1,\"rollout\":3,\"reward\":1}\n"
        "{\"stage\":\"eval\",\"step\":2,\"rollout\":2,\"reward\":0}\n");
  write("metrics.jsonl",
        "{\"stage\":\"base\",\"step\":0,\"samples\":9}\n"
        "{\"stage\":\"eval\",\"step\":0}\n"
        "{\"stage\":\"eval\",\"step\":1,\"samples\":40}\n"
        "{\"stage\":\"eval\",\"step\":2,\"samples\":10}\n");
  const json::object report = eval_report(dir_, "eval", "m");
  EXPECT_EQ(report.at("results").at(0).at("tokens_per_second"), 500.0);
  EXPECT_EQ(report.at("results").at(0).at("seconds"), 10.0);
  EXPECT_EQ(eval_table(report),
            "m      accuracy  95 % interval  pass@4  95 % interval  samples  tokens  truncated  not judged  "
            "seconds  tokens/s\n"
            "gsm8k     0.500  0.250 – 0.750   0.800  0.700 – 0.900       40   100.0      0.125           2   "
            "  10.0     500.0\n"
            "mgsm      0.100  0.000 – 0.200   0.300  0.200 – 0.400       10    10.0      0.000           -   "
            "   2.0      50.0\n"
            "\n"
            "pass@4 of mgsm: over 9 problems, for which there are enough judged completions\n"
            "\n"
            "mgsm  accuracy  95 % interval\n"
            "de       0.200  0.100 – 0.300\n");
}

}  // namespace
}  // namespace tenon::host
