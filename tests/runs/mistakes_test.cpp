// Mistakes of later stages that can be told before the first step, in whole runs: where they point, and that nothing was trained or written.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Mistakes : public testing::Test {
 protected:
  Mistakes() {
    std::string name = (fs::temp_directory_path() / "tenon-mistakes-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Mistakes() override { fs::remove_all(dir_); }

  struct Answer {
    int code;
    std::string text;
  };
  // Both streams of `tenon <command> x.yaml`, whose line 7 begins with the first stage, a good one, and line 8 with `stage`.
  Answer tenon(const std::string& command, const std::string& stage) const {
    std::ofstream(dir_ / "x.yaml") << R"(run: {name: x, runs: runs, seed: 1}
components:
  sums: {use: running-sum, operands: 3}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 32, tokenizer: letters}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 2, batch: 2, optimizer: {use: sgd, learning_rate: 0.1}}
)" << stage << "\n";
    const int status = std::system(
        ("cd '" + dir_.string() + "' && '" TENON_PROGRAM "' " + command + " x.yaml > out.txt 2>&1").c_str());
    std::ifstream out(dir_ / "out.txt");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, {std::istreambuf_iterator<char>(out), {}}};
  }
  // That `stage` is refused before anything is written, at `column` of line 8, with `text`.
  void expect_refused(const std::string& stage, const std::string& option, const std::string& text) const {
    const std::string place = "x.yaml:8:" + std::to_string(stage.find(option) + 1) + ":";
    for (const char* command : {"check --create", "run"}) {
      const Answer answer = tenon(command, stage);
      EXPECT_EQ(answer.code, 2) << command;
      EXPECT_THAT(answer.text, AllOf(HasSubstr(place), HasSubstr(text))) << command;
      EXPECT_FALSE(fs::exists(dir_ / "runs")) << command;
    }
  }

  fs::path dir_;
};

TEST_F(Mistakes, AWarmupAsLongAsTheStage) {
  const std::string slow = "optimizer: {use: adamw, learning_rate: 0.1, warmup: 12}}";
  expect_refused("  - {name: more, use: pretrain, from: base, data: sums, steps: 12, " + slow,
                 "optimizer:", "warmup: 12 steps, but the stage has 12 optimizer steps");
  expect_refused("  - {name: more, use: sft, from: base, data: sums, steps: 11, " + slow,
                 "optimizer:", "warmup: 12 steps, but the stage has 11 optimizer steps");
  expect_refused(
      "  - {name: more, use: rl, from: base, data: sums, algorithm: {use: grpo}, rewards: [{use: answer, extract: whole}], "
      "steps: 3, prompts: 2, group_size: 2, mini_batches: 2, epochs: 2, max_new_tokens: 4, " +
          slow,
      "optimizer:", "warmup: 12 steps, but the stage has 12 optimizer steps");
}

TEST_F(Mistakes, WhatADataSetWithoutEndDoesNotHave) {
  expect_refused(
      "  - {name: more, use: sft, from: base, data: sums, epochs: 2, optimizer: {use: sgd, learning_rate: "
      "0.1}}",
      "epochs:", "epochs: the data set has no end");
  expect_refused(
      "  - {name: table, use: evaluate, models: [base], data: sums, rewards: [{use: answer, extract: whole}], problems: 0}",
      "problems:", "problems: 0 means all of them, and the data set has no end");
}

TEST_F(Mistakes, AnExportOverSomethingElse) {
  const fs::path there = dir_ / "exported";
  fs::create_directories(there);
  std::ofstream(there / "mine.txt") << "mine";
  const std::string stage = "  - {name: out, use: export, from: base, folder: \"" + there.string() + "\"}";
  expect_refused(stage, "folder:", "folder: " + there.string() + " exists already");

  fs::remove_all(there);
  EXPECT_EQ(tenon("run", stage).code, 0);
  EXPECT_TRUE(fs::exists(there / "model.safetensors"));
  for (const char* command : {"check --create", "run"}) {
    const Answer again = tenon(command, stage);
    EXPECT_EQ(again.code, 0) << "its own export is no mistake: " << again.text;
  }
  const Answer changed = tenon("run --set pipeline.base.steps=3", stage);
  EXPECT_EQ(changed.code, 2);
  EXPECT_THAT(changed.text, HasSubstr("exists already"));
}

TEST_F(Mistakes, TwoModelsOfOneNameInOneTable) {
  const std::string model =
      "{use: transformer, layers: 1, width: 16, heads: 2, max_len: 32, tokenizer: letters}";
  const std::string stage = "  - {name: table, use: evaluate, models: [" + model + ", " + model +
                            "], data: sums, rewards: [{use: answer, extract: whole}], problems: 2, max_new_tokens: 4}";
  const Answer answer = tenon("check", stage);
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.text, AllOf(HasSubstr("x.yaml:8:"), HasSubstr("two models are called transformer")));
}

}  // namespace
