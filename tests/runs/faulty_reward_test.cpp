// A reward that crashes, hangs and returns NaN: the run goes on, counts each, and trains as it would without those samples.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "small_run.h"

namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr int kSteps = 2, kSamples = 4 * 8;  // of a step

class FaultyReward : public tenon::runs::SmallRun {
 protected:
  // The steps of stage zero of the run `name` with that component as its reward, and those options of the run and of the stage.
  std::vector<json::object> train(const std::string& name, const std::string& reward,
                                  const std::string& run = "", const std::string& zero = "") const {
    Parts parts;
    parts.correct = reward;
    parts.run = "max_reward_failures: 0.2" + run;
    parts.plugins = "\"" TENON_FAULTY_PLUGINS "\"";
    parts.zero = "prompts: 4, steps: 2" + zero;
    parts.environment = "FAULTY_COUNT='" + name + ".count'";
    return SmallRun::train(name, parts);
  }
};

// The interpreter itself: "python3" may be a script that looks for it, at every start. Empty: there is none.
std::string python() {
  std::string path;
  FILE* pipe = ::popen("python3 -c 'import sys; print(sys.executable, end=\"\")' 2>/dev/null", "r");
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) path += static_cast<char>(c);
  if (pipe != nullptr) ::pclose(pipe);
  return path;
}

// Samples of all steps with that outcome.
double samples(const std::vector<json::object>& steps, const char* outcome) {
  double n = 0;
  for (const json::object& step : steps)
    if (const json::value* share = step.if_contains(std::string("reward/correct/") + outcome))
      n += share->to_number<double>() * kSamples;
  return n;
}

void expect_equal_steps(const std::vector<json::object>& faulty, const std::vector<json::object>& without) {
  ASSERT_EQ(faulty.size(), static_cast<size_t>(kSteps));
  ASSERT_EQ(without.size(), faulty.size());
  bool learned = false;
  for (size_t step = 0; step < faulty.size(); ++step) {
    for (const char* name : {"loss", "grad_norm", "reward/mean", "reward/correct/mean"})
      EXPECT_EQ(faulty[step].at(name), without[step].at(name)) << name << " of step " << step;
    learned = learned || faulty[step].at("updates").to_number<double>() > 0;
  }
  EXPECT_TRUE(learned);
}

void expect_counts(const std::vector<json::object>& faulty, const std::vector<json::object>& without) {
  EXPECT_NEAR(samples(faulty, "crashed"), 6 + 1, 1e-6);  // every tenth of 64, and a NaN
  EXPECT_NEAR(samples(faulty, "timed_out"), 1, 1e-6);
  EXPECT_NEAR(samples(faulty, "not_applicable"), 0, 1e-6);
  EXPECT_NEAR(samples(without, "not_applicable"), 6 + 1 + 1, 1e-6);
  EXPECT_NEAR(samples(without, "not_ok"), 0, 1e-6);
}

TEST_F(FaultyReward, InPythonCostsItsOwnSamplesAndNothingElse) {
  const std::string interpreter = python();
  if (interpreter.empty()) GTEST_SKIP() << "there is no python3";
  const auto reward = [&](const std::string& function) {
    return "{use: python, file: \"" TENON_FAULTY_REWARD ":" + function + "\", interpreter: \"" + interpreter +
           "\", batch: 1, timeout: 1s}";
  };
  const std::string in_order = ", overlap_rewards: false";  // the reward counts its calls
  const auto faulty = train("faulty", reward("faulty"), "", in_order),
             without = train("without", reward("without"), "", in_order);
  expect_counts(faulty, without);
  expect_equal_steps(faulty, without);
  EXPECT_THAT(output("faulty"), AllOf(HasSubstr("crashed: the worker was killed by signal 6 (sample "),
                                      HasSubstr("samples have no valid reward and count for nothing")));
  EXPECT_FALSE(weights("faulty").empty());
  EXPECT_TRUE(weights("faulty") == weights("without"));
}

TEST_F(FaultyReward, InAProcessOfItsOwnCostsItsOwnSamplesAndNothingElse) {
  const auto faulty = train("faulty", "{use: test.faulty, isolation: process}", ", reward_timeout: 1s"),
             without = train("without", "{use: test.faulty, leaves_out: true}");
  expect_counts(faulty, without);
  expect_equal_steps(faulty, without);
  EXPECT_FALSE(weights("faulty").empty());
  EXPECT_TRUE(weights("faulty") == weights("without"));
}

// Groups come to the reward as they are finished, or all together: nothing that is recorded or trained is another.
TEST_F(FaultyReward, IsTheSameWhetherItJudgesBesideGenerationOrAfterIt) {
  const std::string reward = "{use: test.faulty, isolation: process}", limit = ", reward_timeout: 1s";
  const auto beside = train("beside", reward, limit, ", overlap_rewards: true"),
             after = train("after", reward, limit, ", overlap_rewards: false");
  EXPECT_NEAR(samples(beside, "crashed"), 6 + 1, 1e-6);
  EXPECT_NEAR(samples(beside, "timed_out"), 1, 1e-6);
  for (const char* file : {"metrics.jsonl", "samples.jsonl"})
    EXPECT_EQ(record("beside", file), record("after", file)) << file;
  EXPECT_THAT(record("beside", "samples.jsonl"),
              HasSubstr("\"failure\":\"correct crashed: its process was killed by signal 6"));
  EXPECT_FALSE(weights("beside").empty());
  EXPECT_TRUE(weights("beside") == weights("after"));
}

}  // namespace
