// Data sets made of rows that an earlier stage makes: planned before there are any, read when they are there, with their lineage.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "small_run.h"

namespace tenon::runs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WrappedRows : public InAFolder {};

TEST_F(WrappedRows, OfAStageThatHasNotRunYet) {
  std::ofstream(dir_ / "x.yaml") << R"(run: {name: x, runs: runs, seed: 1}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  long: {use: running-sum, operands: 5, step_by_step: 0}
  both: {use: mixture, parts: [{of: long, count: 20}, {of: votes.kept, count: 20}]}
  short: {use: filter, data: both, rules: [{name: long, part: completion, max_words: 50}], unique: [prompt]}
  asked: {use: augment, data: short, templates: ["{question}"], keep: false}
  clean: {use: decontaminate, data: asked, against: [{of: sums, seed: 9, rows: 3}], n: 20, parts: [prompt], against_parts: [prompt]}
  chosen: {use: curriculum, data: clean, by: pass_rate, choose: pools, unseen_weight: 2}
  unsure: {use: active, data: sums, rows: 40, samples: [votes.kept, votes.rejected], keep: 0.5}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 60, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: votes, use: rejection-sample, from: base, data: sums, rewards: [{use: answer}], samples: 8, keep: 0, problems: 40, record_rejected: true,
     max_new_tokens: 8}
  - {name: more, use: rl, from: base, data: chosen, rewards: [{use: answer}], prompts: 4, group_size: 4, max_new_tokens: 6, steps: 2,
     algorithm: {use: grpo}, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: unsure, rewards: [{use: answer}], prompts: 4, group_size: 4, max_new_tokens: 6, steps: 2,
     algorithm: {use: grpo}, optimizer: {use: adamw, learning_rate: 0.01}}
)";
  EXPECT_EQ(tenon("check --create x.yaml", "check.txt"), 0) << read(dir_ / "check.txt");
  ASSERT_EQ(tenon("run x.yaml", "run.txt"), 0) << read(dir_ / "run.txt");
  EXPECT_THAT(read(dir_ / "runs/x/log.txt"),
              AllOf(HasSubstr(" rows of both are left out"),
                    HasSubstr("no row of asked shares words with an evaluation set (sums 0)"),
                    HasSubstr("20 of 40 rows of sums are kept; 40 had votes")));
  const std::string samples = read(dir_ / "runs/x/samples.jsonl");
  EXPECT_THAT(samples, AllOf(HasSubstr("\"by\":\"filter\""), HasSubstr("\"by\":\"augment\""),
                             HasSubstr("\"by\":\"decontaminate\""), HasSubstr("\"by\":\"active\"")));
}

}  // namespace
}  // namespace tenon::runs
