// Packing changes no bit: each sequence alone, some together, all of a batch in one pass, on one thread or two, give the same losses and the same model.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "small_run.h"

namespace tenon::runs {
namespace {

class Packing : public InAFolder {
 protected:
  // Every stage that trains on rows of the decoder: rows of 7 to 26 tokens, 16 a batch. tokens: most in one pass.
  void run(const std::string& name, int tokens, int threads) const {
    const std::string micro = "micro_batch_tokens: " + std::to_string(tokens);
    std::ofstream(dir_ / (name + ".yaml"))
        << "run: {name: " << name << ", runs: runs, seed: 5, threads: " << threads << R"(}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0.5}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 2, width: 32, heads: 2, max_len: 40, tokenizer: letters}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 12, batch: 16, loss_on: all, )"
        << micro << R"(, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: tuned, use: sft, from: base, data: sums, steps: 12, batch: 16, )"
        << micro << R"(,
     held_out: {data: {of: sums, split: test}, rows: 32, every: 4}, optimizer: {use: adamw, learning_rate: 0.01}}
)";
    ASSERT_EQ(tenon("run " + name + ".yaml", name + ".txt"), 0) << read(dir_ / (name + ".txt"));
  }
  std::string losses(const std::string& name) const { return read(dir_ / "runs" / name / "metrics.jsonl"); }
  std::string model(const std::string& name, const std::string& stage) const {
    for (const auto& folder : std::filesystem::directory_iterator(dir_ / "runs" / name / "stages")) {
      if (!folder.path().filename().string().starts_with(stage + "-")) continue;
      const boost::json::value done = boost::json::parse(read(folder.path() / "done.json"));
      return read(folder.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                  "model.safetensors");
    }
    return "";
  }
};

TEST_F(Packing, ChangesNoBit) {
  run("alone", 1, 1);
  const std::string losses = this->losses("alone");
  EXPECT_THAT(losses, ::testing::HasSubstr("held_out/loss"));
  ASSERT_FALSE(model("alone", "tuned").empty());
  for (const auto& [name, tokens, threads] :
       {std::tuple("some", 64, 1), std::tuple("all", 100000, 1), std::tuple("threads", 100000, 2)}) {
    run(name, tokens, threads);
    EXPECT_EQ(this->losses(name), losses) << name;
    for (const char* stage : {"base", "tuned"})
      EXPECT_EQ(model(name, stage), model("alone", stage)) << name << " " << stage;
  }
}

}  // namespace
}  // namespace tenon::runs
