// The quickstart, shortened: that it learns what little it can, stops and goes on without changing a byte, and swaps its algorithm.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::HasSubstr;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Quickstart : public testing::Test {
 protected:
  Quickstart() {
    std::string name = (fs::temp_directory_path() / "tenon-quickstart-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Quickstart() override { fs::remove_all(dir_); }

  // The arguments that shorten it to a few seconds. `name`: of the run.
  std::vector<std::string> shortened(const std::string& name,
                                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> set = {"run.name=" + name,
                                    "run.runs=" + dir_.string(),
                                    "pipeline.base.steps=40",
                                    "pipeline.base.checkpoint_every=7",
                                    "pipeline.zero.steps=8",
                                    "pipeline.zero.prompts=4",
                                    "pipeline.zero.group_size=4",
                                    "pipeline.zero.mini_batches=2",
                                    "pipeline.zero.checkpoint_every=2",
                                    "pipeline.table.problems=8",
                                    "pipeline.table.samples=2"};
    set.insert(set.end(), more.begin(), more.end());
    std::vector<std::string> arguments = {"run", TENON_CONFIGS "/quickstart.yaml"};
    for (const std::string& s : set) arguments.insert(arguments.end(), {"--set", s});
    return arguments;
  }
  pid_t start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), TENON_PROGRAM);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_t pid = ::fork();
    if (pid == 0) {
      int out = ::open((dir_ / "out.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
      ::execv(TENON_PROGRAM, argv.data());
      ::_exit(127);
    }
    return pid;
  }
  static int wait(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string output() const { return read_file(dir_ / "out.txt"); }

  fs::path stage(const std::string& run, const std::string& name) const {
    for (const auto& e : fs::directory_iterator(dir_ / run / "stages"))
      if (e.path().filename().string().starts_with(name + "-")) return e.path();
    return {};
  }
  std::string weights(const std::string& run, const std::string& name) const {
    fs::path folder = stage(run, name);
    json::value done = json::parse(read_file(folder / "done.json"));
    return read_file(folder / "checkpoints" / done.at("checkpoint").as_string().c_str() /
                     "model.safetensors");
  }
  // Everything that must not depend on how often the run was interrupted.
  std::map<std::string, std::string> results(const std::string& run) const {
    return {{"metrics", read_file(dir_ / run / "metrics.jsonl")},
            {"samples", read_file(dir_ / run / "samples.jsonl")},
            {"results", read_file(dir_ / run / "eval.json")},
            {"base", weights(run, "base")},
            {"zero", weights(run, "zero")}};
  }
  static void expect_equal(const std::map<std::string, std::string>& a,
                           const std::map<std::string, std::string>& b) {
    for (const auto& [name, bytes] : a) {
      EXPECT_FALSE(bytes.empty()) << name;
      EXPECT_TRUE(bytes == b.at(name)) << name << " differs";
    }
  }
  std::vector<json::object> metrics(const std::string& run, const std::string& of_stage) const {
    std::vector<json::object> out;
    std::ifstream in(dir_ / run / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) {
      json::object step = json::parse(line).as_object();
      if (step.at("stage").as_string() == of_stage) out.push_back(std::move(step));
    }
    return out;
  }

  fs::path dir_;
};

TEST_F(Quickstart, RunsAndReportsAndTheSecondRunDoesNothing) {
  ASSERT_EQ(wait(start(shortened("a"))), 0) << output();
  std::vector<json::object> base = metrics("a", "base"), zero = metrics("a", "zero");
  ASSERT_EQ(base.size(), 40u);
  ASSERT_EQ(zero.size(), 8u);
  EXPECT_LT(base.back().at("loss").to_number<double>(), 0.8 * base.front().at("loss").to_number<double>());
  for (const json::object& step : zero) {
    const json::value& difference = step.at("rollout/logprob_diff_max");
    bool updated = step.at("updates").to_number<double>() > 0;
    EXPECT_EQ(difference.is_null(), !updated);
    EXPECT_TRUE(!updated || difference.to_number<double>() == 0);
  }
  json::value table = json::parse(read_file(dir_ / "a" / "eval.json"));
  EXPECT_EQ(table.at("table").at("zero").at("sums").at("samples").to_number<double>(), 16);

  std::map<std::string, std::string> before = results("a");
  ASSERT_EQ(wait(start(shortened("a"))), 0) << output();
  expect_equal(before, results("a"));
}

TEST_F(Quickstart, AsJsonTheStandardOutputIsOneObject) {
  std::ofstream(dir_ / "c.yaml") << read_file(TENON_CONFIGS "/quickstart.yaml")
                                 << "  - {name: files, use: export, model: zero}\n";
  std::string command = "'" TENON_PROGRAM "'";
  std::vector<std::string> arguments = shortened("a");
  arguments[1] = (dir_ / "c.yaml").string();
  for (const std::string& a : arguments) command += " '" + a + "'";
  command += " --json > '" + (dir_ / "answer.json").string() + "' 2> '" + (dir_ / "out.txt").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << output();
  const json::value answer = json::parse(read_file(dir_ / "answer.json"));
  EXPECT_EQ(answer.at("status").as_string(), "finished");
  EXPECT_THAT(output(), HasSubstr("zero  8/8"));
  const json::array& stages = answer.at("stages").as_array();
  ASSERT_EQ(stages.size(), 4u);
  EXPECT_TRUE(stages[0].at("files").as_array().empty());
  ASSERT_EQ(stages[3].at("files").as_array().size(), 1u);
  EXPECT_TRUE(fs::exists(fs::path(stages[3].at("files").at(0).as_string().c_str()) / "model.safetensors"));
}

TEST_F(Quickstart, OneWordSwapsTheAlgorithm) {
  ASSERT_EQ(wait(start(shortened("grpo"))), 0) << output();
  ASSERT_EQ(wait(start(shortened("rloo", {"components.algorithm.use=rloo"}))), 0) << output();
  EXPECT_TRUE(weights("grpo", "base") == weights("rloo", "base"));
  EXPECT_FALSE(weights("grpo", "zero") == weights("rloo", "zero"));
}

TEST_F(Quickstart, ThreadsSlotsAndMicroBatchesChangeNoByte) {
  ASSERT_EQ(wait(start(shortened("a", {"run.threads=2"}))), 0) << output();
  ASSERT_EQ(wait(start(shortened(
                "b", {"run.threads=1", "pipeline.base.micro_batch_tokens=500",
                      "pipeline.zero.micro_batch_tokens=400", "pipeline.zero.sampler={use: native, slots: 3}",
                      "pipeline.table.sampler={use: native, slots: 1}"}))),
            0)
      << output();
  expect_equal(results("a"), results("b"));
}

TEST_F(Quickstart, KilledAtAnyInstantItGoesOnAsIfNothingHadHappened) {
  auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(wait(start(shortened("whole"))), 0) << output();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  std::mt19937 random(7);
  std::uniform_real_distribution<double> moment(0.02 * seconds, 0.5 * seconds);
  pid_t pid = start(shortened("killed"));
  int kills = 0;
  for (; kills < 5; ++kills) {
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    ::kill(pid, SIGKILL);
    if (int code = wait(pid); code != 128 + SIGKILL) {
      ASSERT_EQ(code, 0) << output();
      break;
    }
    // Before the run folder is there, there is nothing to resume.
    bool begun = fs::exists(dir_ / "killed" / "config.yaml");
    pid = start(begun ? std::vector<std::string>{"resume", (dir_ / "killed").string()} : shortened("killed"));
  }
  EXPECT_GT(kills, 0);
  if (kills == 5) {
    ASSERT_EQ(wait(pid), 0) << output();
  }
  expect_equal(results("whole"), results("killed"));
}

}  // namespace
