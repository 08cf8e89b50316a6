// Rows and files that cannot be used, in whole runs: what is said, where it points, and that nothing was trained or written.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_run.h"

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class BadRows : public tenon::runs::InAFolder {
 protected:
  void write(const std::string& name, const std::string& text) const { std::ofstream(dir_ / name) << text; }

  // `letters` is in line 3, `data` in line 5; without `more` components, `stages` begins in line 8.
  void configure(const std::string& letters, const std::string& data, const std::string& stages,
                 const std::string& more = "") const {
    write("x.yaml", "run: {name: x, runs: " + dir_.string() +
                        "/runs, seed: 1}\ncomponents:\n  letters: " + letters + "\n  rows:\n    " + data +
                        "\n  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 24, "
                        "tokenizer: letters}\n" +
                        more + "pipeline:\n" + stages);
  }
  struct Answer {
    int code;
    std::string text;
  };
  // Both streams of `tenon <command> x.yaml`.
  Answer tenon(const std::string& command) const {
    const int code = InAFolder::tenon(command + " x.yaml", "out.txt");
    return {code, read(dir_ / "out.txt")};
  }
  bool wrote_a_run() const { return fs::exists(dir_ / "runs"); }
};

const char* kLetters = R"({use: char, alphabet: "0123456789+-=<>,", eos: "$"})";
const char* kJsonl = "{use: jsonl, file: rows.jsonl, prompt: q, completion: a}";
const char* kSft =
    "  - {name: tune, use: sft, model: policy, data: rows, steps: 3, batch: 2, optimizer: {use: sgd, "
    "learning_rate: 0.1}}\n";

TEST_F(BadRows, AreReportedTogetherWithTheirLinesBeforeAnythingIsTrained) {
  write("rows.jsonl", R"({"q":"1+2=","a":"3"}
{"q":"one and two","a":"3"}

{"q":"1+2=","a":"3\n"}
{"q":"1+2=","a":"<1+2=3,1+2=3,1+2=3,1+2=3>3"}
)");
  configure(kLetters, kJsonl, kSft);
  for (const char* command : {"run", "check --create"}) {
    const Answer answer = tenon(command);
    EXPECT_EQ(answer.code, 2) << command;
    EXPECT_THAT(answer.text,
                AllOf(HasSubstr("x.yaml:8:"), HasSubstr("data: 3 of the 4 rows of rows cannot be used"),
                      HasSubstr("row 1, " + (dir_ / "rows.jsonl").string() +
                                ":2 (\"one and two\"): character \"o\" at byte 0"),
                      HasSubstr("row 2, " + (dir_ / "rows.jsonl").string() +
                                ":4 (\"1+2=\"): character \"\\n\" at byte 1"),
                      HasSubstr("row 3, " + (dir_ / "rows.jsonl").string() + ":5 (\"1+2=\"): 31 tokens"),
                      HasSubstr("max_len = 24")))
        << command;
    EXPECT_FALSE(wrote_a_run());
  }
}

TEST_F(BadRows, APromptWithoutRoomForACompletionEndsNoEvaluationOrRlHalfWay) {
  write("rows.jsonl", "{\"q\":\"1+2=\",\"a\":\"3\"}\n{\"q\":\"1+1+1+1+1+1+1+1+1+1+1+1=\",\"a\":\"12\"}\n");
  const std::string common = ", data: rows, rewards: [{of: correct}], max_new_tokens: 4}\n",
                    correct = "  correct: {use: answer, extract: whole}\n",
                    grpo = "  algorithm: {use: grpo}\n";
  const std::string
      evaluate = "  - {name: s, use: evaluate, models: [policy]" + common,
      rl = "  - {name: s, use: rl, model: policy, steps: 2, optimizer: {use: sgd, learning_rate: 0.1}" +
           common;
  for (const auto& [stage, more] : {std::pair(evaluate, correct), std::pair(rl, correct + grpo)}) {
    configure(kLetters, "{use: jsonl, file: rows.jsonl, prompt: q, answer: a}", stage, more);
    const Answer answer = tenon("run");
    EXPECT_EQ(answer.code, 2);
    EXPECT_THAT(answer.text, AllOf(HasSubstr("rows.jsonl:2 ("), HasSubstr("the prompt has 24 tokens")))
        << stage;
    EXPECT_FALSE(wrote_a_run());
  }
}

TEST_F(BadRows, ATokenizerWithoutAnEndPointsAtTheModel) {
  write("rows.jsonl", "{\"q\":\"1+2=\",\"a\":\"3\"}\n");
  configure(R"({use: char, alphabet: "0123456789+-=<>,"})", kJsonl, kSft);
  const Answer answer = tenon("run");
  EXPECT_EQ(answer.code, 2);
  const size_t column = std::string(kSft).find("model:") + 1;
  EXPECT_THAT(answer.text, AllOf(HasSubstr("x.yaml:8:" + std::to_string(column) + ":"),
                                 HasSubstr("model.tokenizer: the tokenizer has neither an `eos`")));
  EXPECT_FALSE(wrote_a_run());
}

TEST_F(BadRows, AFaultInAFileIsShownAtTheOptionThatNamesIt) {
  write("rows.jsonl", "{\"q\":\"1+2=\",\"a\":\"3\"}\n{\"q\":\"1+2=\"}\n");
  configure(kLetters, kJsonl, kSft);
  const Answer answer = tenon("check --create");
  EXPECT_EQ(answer.code, 2);
  const size_t column = 5 + std::string(kJsonl).find("file:");
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr("x.yaml:5:" + std::to_string(column) + ":"),
                    HasSubstr("file: " + (dir_ / "rows.jsonl").string() + ":2: there is no field \"a\"")));
}

TEST_F(BadRows, SoIsAFaultInTheWeights) {
  write("rows.jsonl", "{\"q\":\"1+2=\",\"a\":\"3\"}\n");
  write("cut.gguf", "GGUF\x03");
  configure(kLetters, kJsonl, kSft);
  std::string text = read(dir_ / "x.yaml");
  const std::string shape = "layers: 1, width: 16, heads: 2", weights = "weights: cut.gguf";
  text.replace(text.find(shape), shape.size(), weights);
  write("x.yaml", text);
  const Answer answer = tenon("run");
  EXPECT_EQ(answer.code, 2);
  const size_t column = std::string("  policy: {use: transformer, ").size() + 1;
  EXPECT_THAT(answer.text, AllOf(HasSubstr("x.yaml:6:" + std::to_string(column) + ":"),
                                 HasSubstr("weights: " + (dir_ / "cut.gguf").string() + ": byte ")));
  EXPECT_FALSE(wrote_a_run());
}

// The rows of a data set without end cannot all be tried. Two in a thousand of this one's work step by step, with a comma, which the alphabet lacks.
TEST_F(BadRows, AnErrorInALaterStepSaysWhatIsKept) {
  const char* stage =
      "  - {name: tune, use: sft, model: policy, data: rows, steps: 2000, batch: 4, checkpoint_every: 10,"
      " optimizer: {use: sgd, learning_rate: 0.1}}\n";
  configure(R"({use: char, alphabet: "0123456789+-=<>", eos: "$"})",
            "{use: running-sum, operands: 3, step_by_step: 0.002, seed: 1}", stage);
  const Answer answer = tenon("run");
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.text, AllOf(HasSubstr("the row \""), HasSubstr("character \",\""),
                                 HasSubstr("It was in step "), HasSubstr("The checkpoint after step "),
                                 HasSubstr("tenon resume "), Not(HasSubstr("no checkpoint yet"))));
}

}  // namespace
