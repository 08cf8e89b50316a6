// `isolation: process`: what a reward does to its process costs the samples that did it, and no other.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <signal.h>

#include <set>
#include <thread>

#include "host/command_line.h"
#include "host/loader.h"
#include "host/spec_json.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Isolation : public Run {
 protected:
  Outcome tenon(std::vector<std::string> words) {
    words.insert(words.begin(), "tenon");
    return wait(start([words]() mutable {
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  }
  // The answers of `tenon score` for completions that are these words, in one call.
  std::vector<json::object> score(const std::vector<std::string>& completions,
                                  std::vector<std::string> more = {}, const std::string& reward = "wild") {
    {
      std::ofstream rows(dir_ / "rows.jsonl");
      for (const std::string& word : completions)
        rows << json::object{{"completion", word}, {"tokens", {1, 2}}, {"why", "is \"" + word + "\""}}
             << '\n';
    }
    std::vector<std::string> words{
        "score", "--reward",          reward,    "--plugin-path", TENON_WILD_PLUGIN,
        "--set", "isolation=process", "--batch", "1000"};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back((dir_ / "rows.jsonl").string());
    last_ = tenon(words);
    EXPECT_EQ(last_.code, 0) << last_.err;
    std::vector<json::object> answers;
    std::istringstream in(last_.out);
    for (std::string line; std::getline(in, line);) answers.push_back(json::parse(line).as_object());
    EXPECT_EQ(answers.size(), completions.size());
    answers.resize(completions.size());
    return answers;
  }
  static std::string status(const json::object& answer) {
    return std::string(answer.at("status").as_string());
  }
  static std::string reason(const json::object& answer) {
    return answer.at("reason").is_string() ? std::string(answer.at("reason").as_string()) : "";
  }
  static double reward(const json::object& answer) {
    return answer.at("reward").is_null() ? -1 : answer.at("reward").to_number<double>();
  }

  Outcome last_;
};

TEST_F(Isolation, GivesWhatTheRewardGivesInTenonsOwnProcess) {
  const std::vector<std::string> words{"one", "tokens", "threads", "nan", "é", ""};
  const auto apart = score(words, {"--set", "weight=0.1"});
  const auto inside = score(words, {"--set", "weight=0.1", "--set", "isolation=inproc"});
  for (size_t i = 0; i < words.size(); ++i)
    for (const char* key : {"reward", "status", "verdict", "reason"})
      EXPECT_EQ(apart[i].at(key), inside[i].at(key)) << words[i];
  EXPECT_EQ(apart[0].at("notes").at("bytes").to_number<double>(), 3);
  EXPECT_EQ(reason(apart[0]), "is \"one\"");
}

TEST_F(Isolation, RunsElsewhere) {
  const auto answers = score({"pid", "pid", "print"});
  EXPECT_EQ(reward(answers[0]), reward(answers[1])) << "one process for all";
  EXPECT_NE(::kill(static_cast<pid_t>(reward(answers[0])), 0), 0) << "it is gone when tenon is";
  EXPECT_EQ(reward(answers[2]), 5) << "what it prints is not tenon's answer";
  EXPECT_THAT(last_.err, HasSubstr("1000"));
}

TEST_F(Isolation, ADeathCostsTheSampleThatDidIt) {
  const auto answers = score({"a", "crash", "bb", "abort", "exit", "ccc", "pid"});
  for (const size_t dead : {1, 3, 4}) EXPECT_EQ(status(answers[dead]), "crashed");
  EXPECT_THAT(reason(answers[1]), HasSubstr("killed by signal 11"));
  EXPECT_THAT(reason(answers[4]), HasSubstr("exit code 3"));
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
  EXPECT_EQ(reward(answers[5]), 3);
  EXPECT_EQ(answers[0].at("notes").at("bytes").to_number<double>(), 1)
      << "judged before the death, and kept with all that was said of it";
}

TEST_F(Isolation, AHangCostsTheSampleThatHangs) {
  const auto answers = score({"a", "hang", "bb", "late", "ccc", "garbage", "dddd"}, {"--timeout", "300ms"});
  EXPECT_EQ(status(answers[1]), "timed out");
  EXPECT_THAT(reason(answers[1]), HasSubstr("its process was killed"));
  EXPECT_EQ(status(answers[3]), "timed out") << "it asked, and gave up by itself";
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, WhatItSendsInsteadOfAnAnswerEndsIt) {
  const auto answers = score({"a", "garbage", "bb"});
  EXPECT_EQ(status(answers[1]), "crashed");
  EXPECT_THAT(reason(answers[1]), HasSubstr("no answer of tenon-worker"));
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
}

TEST_F(Isolation, ARewardThatSaysNothingOfWhatItIsAtIsAskedOneByOne) {
  const auto answers = score({"a", "crash", "bb", "crash", "ccc"}, {}, "wild-batch");
  EXPECT_EQ(status(answers[1]), "crashed");
  EXPECT_EQ(status(answers[3]), "crashed");
  EXPECT_EQ(reward(answers[0]), 1);
  EXPECT_EQ(reward(answers[2]), 2);
  EXPECT_EQ(reward(answers[4]), 3);
}

TEST_F(Isolation, ManyHangsInOneCallAreNotAllWaitedFor) {
  std::vector<std::string> words(9, "hang");
  const auto answers = score(words, {"--timeout", "250ms"});
  for (const auto& answer : answers) EXPECT_EQ(status(answer), "timed out");
  EXPECT_THAT(reason(answers.back()), HasSubstr("8 samples of the call had hung before"));
}

TEST_F(Isolation, NothingIsLeftBehind) {
  score({"a", "fork", "hang", "bb"}, {"--timeout", "100ms"});
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code error;
    const fs::path program = fs::read_symlink(entry.path() / "exe", error);
    std::ifstream environment(entry.path() / "cmdline");
    std::string name;
    std::getline(environment, name, '\0');
    // Workers of other tests may run at the same time: only orphans are ours.
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    std::getline(stat, text);
    if (!error && program.filename() == "tenon-worker" && text.find(") S 1 ") != std::string::npos)
      left.insert(text);
  }
  EXPECT_THAT(left, testing::IsEmpty());
}

TEST_F(Isolation, MistakesAreToldAsOfARewardInside) {
  const auto failed = [&](const std::string& assignment) {
    { std::ofstream(dir_ / "rows.jsonl") << "{\"completion\": \"a\"}\n"; }
    return tenon({"score", "--reward", "wild", "--plugin-path", TENON_WILD_PLUGIN, "--set",
                  "isolation=process", "--set", assignment, (dir_ / "rows.jsonl").string()});
  };
  const Outcome thrown = failed("at_start=throw");
  EXPECT_EQ(thrown.code, 2);
  EXPECT_THAT(thrown.err, HasSubstr("at_start: as asked"));
  const Outcome crashed = failed("at_start=crash");
  EXPECT_NE(crashed.code, 0);
  EXPECT_THAT(crashed.err, AllOf(HasSubstr("killed by signal 11"), Not(HasSubstr("tenon was"))));
}

TEST_F(Isolation, ARunIsTheSameWithIt) {
  const std::string text = config();
  std::string apart = text;
  apart.replace(apart.find("{use: toy-reward}"), 17, "{use: toy-reward, isolation: process}");
  const auto metrics = [&](const std::string& yaml, const std::string& name) {
    const Outcome outcome =
        tenon({"run", write_config(yaml, name + ".yaml").string(), "--set", "run.name=" + name});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(dir_ / "runs" / name / "metrics.jsonl");
  };
  const std::string inside = metrics(text, "inside"), outside = metrics(apart, "outside");
  EXPECT_EQ(inside, outside);
  EXPECT_THAT(read_file(dir_ / "runs" / "outside" / "config.yaml"), HasSubstr("isolation: process"));
  EXPECT_EQ(tenon({"resume", (dir_ / "runs" / "outside").string()}).code, 0);
}

TEST_F(Isolation, OfWhatCannotHaveItIsAMistakeAtItsPlace) {
  std::string model = config();
  model.replace(model.find("{use: toy-model"), 15, "{use: toy-model, isolation: process");
  const Outcome of_model = tenon({"check", write_config(model).string()});
  EXPECT_EQ(of_model.code, 2);
  EXPECT_THAT(of_model.err, AllOf(HasSubstr("components.policy.isolation"), HasSubstr("a model cannot")));
  { std::ofstream(dir_ / "rows.jsonl") << "{\"completion\": \"a\"}\n"; }
  const Outcome of_state = tenon({"score", "--reward", "mindful", "--plugin-path", TENON_WILD_PLUGIN, "--set",
                                  "isolation=process", (dir_ / "rows.jsonl").string()});
  EXPECT_EQ(of_state.code, 2);
  EXPECT_THAT(of_state.err, HasSubstr("keeps state from step to step"));
}

TEST(SpecText, IsReadBackBitForBit) {
  Spec spec;
  const LoadedPlugin& plugin = open_plugin(TENON_WILD_PLUGIN);
  spec.plugin = &plugin, spec.component = plugin.descriptor->components[0];
  spec.name = "mine";
  spec.options = {
      {"weight", 0.1 + 0.2}, {"count", int64_t{1} << 62}, {"list", {1e-310, "\x01 f64", nullptr, true}}};
  const std::shared_ptr<Spec> again = spec_of_text(spec_text(spec));
  EXPECT_EQ(again->options, spec.options);
  EXPECT_EQ(again->options.at("weight").as_double(), 0.1 + 0.2);
  EXPECT_EQ(again->component, spec.component);
  EXPECT_EQ(again->name, "mine");
  spec.plugin = nullptr;
  EXPECT_THROW(spec_text(spec), std::invalid_argument);
  EXPECT_THROW(spec_of_text("{}"), std::invalid_argument);
  EXPECT_THROW(spec_of_text("["), std::invalid_argument);
}

}  // namespace
}  // namespace tenon::host
