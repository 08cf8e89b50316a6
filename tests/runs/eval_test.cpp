// `tenon eval` on a stage of a run: the same numbers as in the run, nothing of it changed, and every benchmark that ships can be read.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "small_run.h"

namespace tenon::runs {
namespace {

using ::testing::HasSubstr;

class EvalCommand : public InAFolder {
 protected:
  void write(const std::string& name, const std::string& text) const { std::ofstream(dir_ / name) << text; }
  void SetUp() override {
    write("small.yaml", R"(run: {name: small, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  policy: {use: transformer, layers: 1, width: 32, heads: 2, tokenizer: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}}
  correct: {use: answer, extract: after-tag}
  unused-later: {use: running-sum, operands: 4}
pipeline:
  - {name: base, use: pretrain, data: sums, model: policy, steps: 30, optimizer: {use: adamw, learning_rate: 4e-3}}
  - {name: table, use: evaluate, models: [base], data: {of: sums, split: test}, rewards: [{of: correct}], problems: 20, max_new_tokens: 12, temperature: 0}
  - {name: more, use: pretrain, from: base, data: unused-later, steps: 1, optimizer: {use: adamw, learning_rate: 4e-3}}
)");
    write("exam.yaml", R"(about: sums
source: made here
licence: none needed
data: {use: running-sum, operands: 3, step_by_step: 0, split: test}
rewards: [{use: answer, extract: after-tag}]
evaluate: {problems: 20, max_new_tokens: 12, temperature: 0, vote: {by: number, extract: after-tag}}
)");
  }
  // Of the run `small`.
  std::string stage_folder(const std::string& stage) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / "runs/small/stages"))
      if (entry.path().filename().string().starts_with(stage + "-")) return entry.path().filename().string();
    return "none";
  }
  boost::json::object json_of(const std::string& output) const {
    const std::string text = read(dir_ / output);
    return boost::json::parse(text.substr(text.find('{'))).as_object();
  }
};

TEST_F(EvalCommand, GivesTheNumbersOfTheRunAndLeavesItAlone) {
  ASSERT_EQ(tenon("run small.yaml", "run.txt"), 0) << read(dir_ / "run.txt");
  const auto before = std::filesystem::last_write_time(dir_ / "runs/small/metrics.jsonl");
  ASSERT_EQ(tenon("eval runs/small:base --bench exam.yaml --json 2> err.txt", "eval.txt"), 0)
      << read(dir_ / "err.txt");
  const auto results =
      boost::json::parse(read(dir_ / "runs/small/eval.json")).at("table").at("base").at("sums").as_object();
  const auto row = json_of("eval.txt").at("results").at(0).as_object();
  for (const char* metric : {"accuracy", "accuracy_low", "accuracy_high", "length", "truncated", "samples"})
    EXPECT_EQ(row.at(metric), results.at(metric)) << metric;
  EXPECT_TRUE(std::filesystem::exists(dir_ / "runs/eval-small-base-exam/eval.yaml"));
  EXPECT_EQ(std::filesystem::last_write_time(dir_ / "runs/small/metrics.jsonl"), before);
  EXPECT_THAT(read(dir_ / "runs/eval-small-base-exam/samples.jsonl"), HasSubstr("\"benchmark\":\"exam\""));

  // Again: what is there is shown. Other samples: a table with the further columns.
  ASSERT_EQ(tenon("eval runs/small:base --bench exam.yaml", "again.txt"), 0) << read(dir_ / "again.txt");
  EXPECT_THAT(read(dir_ / "again.txt"), HasSubstr("exam"));
  ASSERT_EQ(tenon("eval runs/small:base --bench exam.yaml --samples 4 --temperature 1 --pass-at 1,4 "
                  "--cons-at 3 --price 1,2 "
                  "--interval bootstrap --name other",
                  "more.txt"),
            0)
      << read(dir_ / "more.txt");
  for (const char* word : {"pass@4", "cons@3", "cost", "base: finished before"})
    EXPECT_THAT(read(dir_ / "more.txt"), HasSubstr(word));
  EXPECT_EQ(tenon("run small.yaml", "rerun.txt"), 0);
  EXPECT_THAT(read(dir_ / "rerun.txt"), HasSubstr("nothing to do"));

  EXPECT_EQ(tenon("eval runs/small:bose --bench exam.yaml", "bad.txt"), 2);
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("has no such stage. Did you mean \"base\"?"));
  EXPECT_EQ(tenon("eval runs/small:base --bench exam.yaml --samples 2 --pass-at 4", "bad.txt"), 2);
  EXPECT_THAT(read(dir_ / "bad.txt"),
              HasSubstr("4 completions of a problem are looked at, and there are samples: 2"));
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("pass_at: [4]  # --pass-at\n"));
  EXPECT_EQ(tenon("eval runs/small:base --bench exam.yaml --name a.b", "bad.txt"), 2);
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("name: a.b  # --name\n"));
  std::ofstream(dir_ / "rows.jsonl") << R"({"q": "1+1=", "answer": "2"})" << '\n';
  write("chat.yaml", R"(about: sums
source: made here
licence: none needed
data: {use: jsonl, file: rows.jsonl, template: "{q}", as: messages}
rewards: [{use: answer, extract: after-tag}]
)");
  EXPECT_EQ(tenon("eval runs/small:base --bench chat.yaml", "bad.txt"), 2);
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("has no chat template"));
  EXPECT_THAT(read(dir_ / "bad.txt"),
              HasSubstr("data: chat  # a model without a chat template needs --text\n"));
  EXPECT_EQ(tenon("eval runs/small:base --bench chat.yaml --text", "text.txt"), 0) << read(dir_ / "text.txt");
  std::filesystem::remove(dir_ / "runs/small/stages" / stage_folder("more") / "done.json");
  EXPECT_EQ(tenon("eval runs/small:more --bench exam.yaml", "bad.txt"), 2);
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("stage more of "));
  EXPECT_THAT(read(dir_ / "bad.txt"), HasSubstr("is not finished"));
}

TEST_F(EvalCommand, TakesAStageOfALoopAndRunsWithAStageThatIsCalledEval) {
  write("loop.yaml", R"(run: {name: loop, seed: 3}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 64, tokenizer: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}}
  adam: {use: adamw, learning_rate: 4e-3}
pipeline:
  - {name: eval, use: pretrain, model: policy, data: sums, steps: 3, batch: 4, optimizer: adam}
  - repeat: 2
    name: loop
    stages: [{name: b, use: pretrain, from: {first: eval, then: b}, data: sums, steps: 20, optimizer: adam}]
)");
  ASSERT_EQ(tenon("run loop.yaml", "run.txt"), 0) << read(dir_ / "run.txt");
  std::set<std::string> samples;
  const std::map<std::string, std::string> models{
      {"eval", "eval"}, {"loop.1.b", "loop-1-b"}, {"loop.b", "loop-2-b"}};
  for (const auto& [stage, model] : models) {
    ASSERT_EQ(tenon("eval runs/loop:" + stage + " --bench exam.yaml", "eval.txt"), 0)
        << read(dir_ / "eval.txt");
    EXPECT_THAT(read(dir_ / "eval.txt"), HasSubstr("\nexam "));
    samples.insert(read(dir_ / "runs" / ("eval-loop-" + model + "-exam") / "samples.jsonl"));
  }
  EXPECT_EQ(samples.size(), 3u) << "three models";
}

// Two models on two benchmarks, in steps of four completions.
std::string long_evaluation(const std::string& name) {
  return "run: {name: " + name + R"(, runs: runs, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  policy: {use: transformer, layers: 2, width: 64, heads: 2, tokenizer: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}}
  correct: {use: answer, extract: after-tag}
pipeline:
  - {name: base, use: pretrain, data: sums, model: policy, steps: 30, optimizer: {use: adamw, learning_rate: 4e-3}}
  - {name: more, use: pretrain, from: base, data: sums, steps: 5, optimizer: {use: adamw, learning_rate: 4e-3}}
  - name: table
    use: evaluate
    models: [base, more]
    samples: 2
    sampler: {use: native, ignore_stop: true}
    max_new_tokens: 40
    completions_per_step: 4
    checkpoint_every: 2
    benchmarks:
      - {name: test, data: {of: sums, split: test}, rewards: [correct], problems: 160, pass_at: [1, 2], cons_at: [2], vote: {by: number, extract: after-tag}}
      - {name: train, data: sums, rewards: [correct], problems: 80}
)";
}

TEST_F(EvalCommand, AnEvaluationThatIsKilledOrStoppedInItsMiddleGivesTheSameBytes) {
  for (const std::string name : {"whole", "killed"}) write(name + ".yaml", long_evaluation(name));
  ASSERT_EQ(tenon("run whole.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");

  const std::string kept = "runs/killed/stages/table-*/checkpoints/";
  EXPECT_NE(tenon_until("KILL", "ls " + kept + "*/manifest.json", "run killed.yaml", "killed.txt"), 0);
  EXPECT_THAT(read(dir_ / "runs/killed/eval.json"), ::testing::Not(HasSubstr("accuracy")));
  EXPECT_EQ(tenon_until("TERM", "grep 'going on after step' killed.txt", "resume runs/killed", "killed.txt"),
            130)
      << read(dir_ / "killed.txt");
  EXPECT_THAT(read(dir_ / "killed.txt"), HasSubstr("of 240 of table; go on with: tenon resume runs/killed"));
  ASSERT_EQ(tenon("resume runs/killed", "killed.txt"), 0) << read(dir_ / "killed.txt");
  for (const char* file : {"eval.json", "samples.jsonl", "metrics.jsonl"})
    EXPECT_EQ(read(dir_ / "runs/killed" / file), read(dir_ / "runs/whole" / file)) << file;
}

TEST_F(EvalCommand, EveryBenchmarkThatShipsHasRowsThatItsRewardJudges) {
  size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TENON_CONFIGS "/bench")) {
    if (entry.path().extension() != ".yaml" || entry.path().stem() == "math") continue;
    ++n;
    std::filesystem::create_directory(dir_ / "b");
    // What `tenon eval` makes of it, with a model that is not opened: the rows, shown to the rewards.
    const std::string name = entry.path().stem().string();
    write("model.gguf", "");
    EXPECT_NE(tenon("eval model.gguf --bench " + entry.path().string() + " --name " + name, "out.txt"), 0);
    EXPECT_EQ(tenon("check --data runs/" + name + "/eval.yaml", "check.txt"), 0) << name << "\n"
                                                                                 << read(dir_ / "check.txt");
    EXPECT_THAT(read(dir_ / "check.txt"), HasSubstr(" 0 that it cannot judge")) << name;
  }
  EXPECT_GE(n, 7u);
  EXPECT_EQ(tenon("eval --list", "list.txt"), 0);
  EXPECT_THAT(read(dir_ / "list.txt"), HasSubstr("gsm8k"));
  EXPECT_EQ(tenon("eval model.gguf --bench math", "math.txt"), 2);
  EXPECT_THAT(read(dir_ / "math.txt"), HasSubstr("no rows ship with the benchmark math: give --data FILE"));
}

}  // namespace
}  // namespace tenon::runs
