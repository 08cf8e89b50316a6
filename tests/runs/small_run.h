// Runs of the program in a folder that is gone afterwards, and a reinforcement learning of a second.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tenon::runs {

class InAFolder : public testing::Test {
 protected:
  InAFolder() {
    // In memory where that is possible: a run flushes each of its files, and these tests are not about the disk.
    const std::filesystem::path memory = "/dev/shm";
    const bool is_there = ::access(memory.c_str(), W_OK) == 0;
    std::string name =
        ((is_there ? memory : std::filesystem::temp_directory_path()) / "tenon-runs-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~InAFolder() override { std::filesystem::remove_all(dir_); }

  static std::string read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The exit code of `<environment> tenon <arguments>` in the folder; both of its streams go to the file `output` there.
  int tenon(const std::string& arguments, const std::string& output,
            const std::string& environment = "") const {
    const std::string shell = "cd '" + dir_.string() + "' && " + environment + " '" TENON_PROGRAM "' " +
                              arguments + " > " + output + " 2>&1";
    const int status = std::system(shell.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // The same of a program that gets `signal` ("KILL", "TERM") as soon as the shell command `condition` succeeds, when it is gone; the code is its own if it ended
  // before.
  int tenon_until(const std::string& signal, const std::string& condition, const std::string& arguments,
                  const std::string& output) const {
    const std::string shell = "cd '" + dir_.string() + "' && { '" TENON_PROGRAM "' " + arguments + " > " +
                              output + " 2>&1 & p=$!; while kill -0 $p 2> /dev/null && ! { " + condition +
                              "; } > /dev/null 2>&1; do sleep 0.01; done; kill -" + signal +
                              " $p 2> /dev/null; wait $p; }";
    const int status = std::system(shell.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::filesystem::path dir_;
};

// A stage `base` that learns sums, and a stage `zero` of reinforcement learning on them with the reward `correct`.
class SmallRun : public InAFolder {
 protected:
  struct Parts {
    std::string correct = "{use: answer}", algorithm = "{use: grpo}";
    std::string zero;     // options of the stage, "steps: 2"
    std::string run;      // options of the run, "reward_timeout: 1s"; may be empty
    std::string plugins;  // where others are; may be empty
    std::string environment;
  };
  // The steps of stage zero of the run `name`.
  std::vector<boost::json::object> train(const std::string& name, const Parts& parts) const {
    std::ofstream(dir_ / (name + ".yaml")) << "run: {name: " << name << ", runs: runs, seed: 5"
                                           << (parts.run.empty() ? "" : ", ") << parts.run << "}\nplugins: ["
                                           << parts.plugins << R"(]
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 40, tokenizer: letters}
  correct: )" << parts.correct
                                           << "\n  algorithm: " << parts.algorithm << R"(
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 60, batch: 16, optimizer: {use: adamw, learning_rate: 0.01}}
  - {name: zero, use: rl, from: base, data: sums, rewards: [{of: correct}], group_size: 8, max_new_tokens: 6,
     )" << parts.zero << R"(, optimizer: {use: adamw, learning_rate: 0.01}}
)";
    EXPECT_EQ(tenon("run " + name + ".yaml", name + ".txt", parts.environment), 0) << output(name);
    std::vector<boost::json::object> steps;
    std::ifstream lines(dir_ / "runs" / name / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      boost::json::object step = boost::json::parse(line).as_object();
      if (step.at("stage").as_string() == "zero") steps.push_back(std::move(step));
    }
    return steps;
  }
  std::string output(const std::string& run) const { return read(dir_ / (run + ".txt")); }
  // A file of the run's folder.
  std::string record(const std::string& run, const std::string& file) const {
    return read(dir_ / "runs" / run / file);
  }
  // The file of what stage zero has trained; empty: there is none.
  std::string weights(const std::string& run) const {
    for (const auto& stage : std::filesystem::directory_iterator(dir_ / "runs" / run / "stages")) {
      if (!stage.path().filename().string().starts_with("zero-")) continue;
      const boost::json::value done = boost::json::parse(read(stage.path() / "done.json"));
      return read(stage.path() / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                  "model.safetensors");
    }
    return "";
  }
};

}  // namespace tenon::runs
