// `tenon check --data`: rows that a reward cannot judge are named before anything is trained.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "host/command_line.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class DataCheck : public Run {
 protected:
  // The toy's stage zero on a data set of 20 rows, whose reward crashes for every third of them.
  Outcome check(std::vector<std::string> more = {}, const std::string& rows = "20",
                const std::string& reward = ", crash_every: 3") {
    std::string text = config();
    text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward" + reward + "}");
    text.replace(text.find("rows: -1"), 8, "rows: " + rows);
    const fs::path file = write_config(text);
    return wait(start([=] {
      std::vector<std::string> words{"tenon", "check", file.string(), "--data"};
      words.insert(words.end(), more.begin(), more.end());
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  }
};

TEST_F(DataCheck, NamesEachRowAndWhy) {
  const Outcome outcome = check();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("stage zero: reward length: row 0 of toy-data"),
                                 HasSubstr("row 18 of toy-data"), HasSubstr("crashed: on request"),
                                 Not(HasSubstr("row 19 of")), Not(HasSubstr("row 1 of"))));
  EXPECT_THAT(outcome.out,
              HasSubstr("stage zero: reward length on toy-data: 20 rows, 7 that it cannot judge"));
  EXPECT_FALSE(fs::exists(dir_ / "runs")) << "nothing is written";
}

TEST_F(DataCheck, TooManyAreAnError) {
  const Outcome outcome = check({"--set", "run.max_reward_failures=0.3"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("7 of 20 rows of toy-data have no reward that judges them"));
  EXPECT_THAT(outcome.err, testing::ContainsRegex("toy.yaml:[0-9]+:[0-9]+: error"));
}

// A reward that counts only beside another judges no row that the other cannot.
TEST_F(DataCheck, RowsWhoseGateGivesNothingAreNotJudged) {
  const auto with = [&](const std::string& gate) {
    return check({"--set", "run.max_reward_failures=0.3", "--set",
                  "pipeline.zero.rewards=[{of: length, sources: [gsm8k]}, {of: length" + gate + "}]"},
                 "20", "");
  };
  EXPECT_EQ(with("").code, 0);
  const Outcome outcome = with(", only_if: length");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("20 of 20 rows of toy-data have no reward that judges them"));
}

TEST_F(DataCheck, WhatARewardWarnsOfIsSaid) {
  const Outcome outcome = check({}, "20", ", last_word: many rows are odd");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::ContainsRegex("toy.yaml:[0-9]+:[0-9]+: warning.*many rows are odd"));
}

TEST_F(DataCheck, OfADataSetWithoutEndTheFirstRows) {
  EXPECT_THAT(check({}, "-1", "").out, HasSubstr("1000 rows, 0 that it cannot judge"));
}

// Of 256 rows in one call each may take its time.
TEST_F(DataCheck, RowsHaveTheTimeOfACallEach) {
  const Outcome outcome = check({"--set", "run.reward_timeout=50ms"}, "300", ", sleep_us: 2000");
  EXPECT_THAT(outcome.out, HasSubstr("300 rows, 0 that it cannot judge")) << outcome.err;
}

// A reward with a scope is not shown the tokens, here as in a run.
TEST_F(DataCheck, ShowsWhatTheRulesShow) {
  EXPECT_THAT(check({}, "20", ", needs_tokens: true").out, HasSubstr("20 rows, 0 that it cannot judge"));
  const auto rule = [&](const std::string& text) {
    return check({"--set", "pipeline.zero.rewards=[{of: length, " + text + "}]"}, "20",
                 ", needs_tokens: true")
        .out;
  };
  EXPECT_THAT(rule("scope: answer"), HasSubstr("20 rows, 20 that it cannot judge"));
  EXPECT_THAT(rule("sources: [gsm8k]"), HasSubstr("on toy-data: 0 rows, 0 that it cannot judge"));
}

TEST_F(DataCheck, ARewardThatHangsBeforeTheFirstStepIsToldToo) {
  std::string text = config();
  text.replace(text.find("{use: toy-reward}"), 17,
               "{use: toy-reward, hang_every: 45, warnings: " + (dir_ / "err.txt").string() + "}");
  text.replace(text.find("seed: 7"), 7, "seed: 7, reward_timeout: 20ms");
  const Outcome outcome = run(write_config(text));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("warning: the rows of stage zero: reward 'length' row 0 of its data set: "),
                    HasSubstr("Ctrl-C twice ends tenon; nothing has been written")));
}

// What would end stage zero at its first steps is told before stage base is trained.
TEST_F(DataCheck, ARewardThatRefusesTheFirstRowsStopsARunBeforeItsFirstStep) {
  const auto run_with = [&](const std::string& reward, const std::string& entry = "") {
    std::string text = config();
    text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward" + reward + "}");
    text.replace(text.find("weight: 0.5}"), 12, "weight: 0.5" + entry + "}");
    return run(write_config(text));
  };
  const Outcome refused = run_with(", needs_tokens: true", ", scope: answer");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              testing::ContainsRegex(
                  "toy.yaml:9:[0-9]+: error: pipeline.zero.data: reward length refuses each of the "
                  "first 16 rows of toy-data that it applies to: row 0: .*`tenon check --data`"));
  EXPECT_FALSE(fs::exists(dir_ / "runs"));
  EXPECT_EQ(run_with(", needs_tokens: true").code, 0) << "is shown tokens";
}

TEST_F(DataCheck, AnswersAsJson) {
  const Outcome outcome = check({"--json"});
  const json::object answer = json::parse(outcome.out).as_object();
  const json::object& data = answer.at("data").as_object();
  EXPECT_EQ(data.at("rows").as_array().size(), 7u);
  EXPECT_EQ(data.at("rows").as_array()[1].at("row").to_number<int>(), 3);
  EXPECT_EQ(data.at("checks").as_array()[0].at("unjudged").to_number<int>(), 7);
}

}  // namespace
}  // namespace tenon::host
