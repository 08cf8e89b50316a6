// `tenon score`: a reward on rows of a file, one line out for each line in.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <signal.h>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Score : public Run {
 protected:
  // `tenon score --reward length --config <the toy's> <words> <rows>`; toy-reward gives the length of the completion.
  Outcome score(const std::string& rows, std::vector<std::string> words = {},
                const std::string& reward = "length", const std::string& options = "") {
    std::string text = config();
    text.replace(text.find("{use: toy-reward}"), 17, "{use: toy-reward" + options + "}");
    const fs::path file = write_config(text);
    std::ofstream(dir_ / "rows.jsonl") << rows;
    return wait(start([=, this] {
      std::vector<std::string> all{"tenon", "score", "--reward", reward, "--config", file.string()};
      all.insert(all.end(), words.begin(), words.end());
      all.push_back((dir_ / "rows.jsonl").string());
      std::vector<char*> arguments;
      for (std::string& word : all) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  }
  // The program itself, `tenon score --reward <reward of the wild plugin> <words> <rows>`, with rows that have these completions.
  pid_t start_program(const std::vector<std::string>& completions, std::vector<std::string> words = {},
                      const std::string& reward = "wild") {
    {
      std::ofstream rows(dir_ / "rows.jsonl");
      for (const std::string& word : completions) rows << json::object{{"completion", word}} << '\n';
    }
    std::vector<std::string> all{TENON_PROGRAM, "score",         "--reward",
                                 reward,        "--plugin-path", TENON_WILD_PLUGIN};
    all.insert(all.end(), words.begin(), words.end());
    all.push_back((dir_ / "rows.jsonl").string());
    return start([all]() mutable {
      std::vector<char*> arguments;
      for (std::string& word : all) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      return ::execv(TENON_PROGRAM, arguments.data());
    });
  }
  // Waits until the program has written `text` to one of its outputs.
  void await(const std::string& file, const std::string& text) const {
    for (int i = 0; i < 10000; ++i) {
      if (fs::exists(dir_ / file) && read_file(dir_ / file).find(text) != std::string::npos) return;
      ::usleep(1000);
    }
    FAIL() << "no \"" << text << "\" in " << file;
  }
  static std::vector<json::object> lines(const Outcome& outcome) {
    std::vector<json::object> out;
    std::istringstream in(outcome.out);
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line).as_object());
    return out;
  }
};

TEST_F(Score, OneLineForEachRowInTheirOrder) {
  const Outcome outcome = score(
      "{\"completion\": \"abc\", \"say\": \"fair: as it is\"}\n\n{\"completion\": \"\", \"say\": \"As it is: "
      "so\"}\n"
      "{\"completion\": \"äb\", \"prompt\": \"q\"}\n");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto answers = lines(outcome);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].at("reward").to_number<double>(), 3);
  EXPECT_EQ(answers[0].at("status").as_string(), "ok");
  EXPECT_EQ(answers[0].at("verdict").as_string(), "fair");
  EXPECT_EQ(answers[0].at("reason").as_string(), "as it is");
  EXPECT_EQ(answers[0].at("notes").at("digits").to_number<double>(), 1.5);
  EXPECT_GE(answers[0].at("micros").to_number<double>(), 0);
  EXPECT_TRUE(answers[1].at("verdict").is_null()) << "a verdict is one word";
  EXPECT_EQ(answers[1].at("reason").as_string(), "As it is: so");
  EXPECT_EQ(answers[2].at("reward").to_number<double>(), 3) << "bytes of UTF-8";
  EXPECT_TRUE(answers[2].at("reason").is_null());
}

TEST_F(Score, WhatHasNoRewardHasNone) {
  const std::string rows = "{\"completion\": \"a\"}\n{\"completion\": \"b\"}\n{\"completion\": \"c\"}\n";
  const auto crashed = lines(score(rows, {}, "length", ", crash_every: 2"));
  ASSERT_EQ(crashed.size(), 3u);
  EXPECT_EQ(crashed[0].at("status").as_string(), "ok");
  EXPECT_EQ(crashed[1].at("status").as_string(), "crashed") << "the second line";
  EXPECT_TRUE(crashed[1].at("reward").is_null());
  EXPECT_EQ(crashed[1].at("reason").as_string(), "on request");
  const auto late = lines(score(rows, {"--timeout", "20ms"}, "length", ", hang_every: 3"));
  EXPECT_EQ(late.at(2).at("status").as_string(), "timed out");
  const auto together =
      lines(score(rows, {"--timeout", "20ms", "--batch", "8"}, "length", ", hang_every: 2"));
  EXPECT_EQ(together.at(0).at("status").as_string(), "ok");
  EXPECT_EQ(together.at(2).at("status").as_string(), "timed out") << "its turn did not come";
}

TEST_F(Score, TheSummaryComparesWithTheLabel) {
  const Outcome outcome = score(
      "{\"completion\": \"a\", \"right\": true}\n{\"completion\": \"b\", \"right\": 0}\n{\"completion\": "
      "\"\", "
      "\"right\": true}\n{\"completion\": \"\", \"right\": false}\n",
      {"--summary", "--label", "right"}, "length", ", crash_every: 4");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("\n4 rows\n"),
                                 HasSubstr("crashed                                  1   25.000 %"),
                                 HasSubstr("mean reward of those ok: 0.66"),
                                 HasSubstr("agree with the label                     2   50.000 %"),
                                 HasSubstr("false positives                          1   25.000 %"),
                                 HasSubstr("false negatives                          1   25.000 %"),
                                 HasSubstr("micros a row: mean")));
}

TEST_F(Score, ABadRowIsNamedAfterTheAnswersBeforeIt) {
  const auto error_of = [&](const std::string& row, std::vector<std::string> words = {}) {
    const Outcome outcome = score("{\"completion\": \"abc\", \"right\": 1}\n" + row + "\n", std::move(words));
    EXPECT_EQ(outcome.code, kExitUser);
    EXPECT_THAT(outcome.out, HasSubstr("\"reward\":3")) << row;
    return outcome.err;
  };
  EXPECT_THAT(error_of("{\"completion\": 3"),
              HasSubstr("rows.jsonl:2: is not JSON (incomplete JSON at column 17)"));
  EXPECT_THAT(error_of("{\"completion\": \"3\",}"), HasSubstr("at column 20)"));
  EXPECT_THAT(error_of("{\"completion\": \"3\"} {}"), HasSubstr("is not JSON (extra data at column 21)"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("rows.jsonl:2: a row must be an object"));
  EXPECT_THAT(error_of("{\"answer\": \"4\"}"), HasSubstr("rows.jsonl:2: the row has no `completion`"));
  EXPECT_THAT(error_of("{\"completion\": \"a\", \"tokens\": [1, -2]}"),
              HasSubstr("rows.jsonl:2: `tokens` must be a list of token ids"));
  EXPECT_THAT(error_of("{\"completion\": 4}"), HasSubstr("rows.jsonl:2: `completion` must be a text"));
  EXPECT_THAT(error_of("{\"completion\": \"4\"}", {"--label", "right"}),
              HasSubstr("rows.jsonl:2: the row has no true, false or number in `right`"));
}

TEST_F(Score, WhatCannotBeStartedSaysWhy) {
  EXPECT_THAT(score("").err, HasSubstr("rows.jsonl: has no rows"));
  const Outcome wrong = score("{\"completion\": \"a\"}\n", {}, "lenght");
  EXPECT_EQ(wrong.code, kExitUser);
  EXPECT_THAT(wrong.err,
              HasSubstr("has a reward \"lenght\", and `components` has none. Did you mean \"length\"?"));
  EXPECT_THAT(wrong.err, HasSubstr("There are: length (stage zero)."));
  const Outcome explain = score("{}\n", {"--explain"});
  EXPECT_EQ(explain.code, kExitUser);
  EXPECT_THAT(explain.err,
              HasSubstr("--explain: toy-reward 1.0.0 (reward) has no path to its verdict to tell"));
  EXPECT_THAT(score("{}\n", {"--batch", "0"}).err, HasSubstr("--batch 0: allowed is between 1 and"));
  EXPECT_THAT(score("{}\n", {"--stage", "one"}).err, HasSubstr("--stage one: "));
  EXPECT_THAT(score("{}\n", {"--timeout", "soon"}).err, HasSubstr("--timeout soon: takes a duration"));
}

TEST_F(Score, APluginThatEndsTheProgramIsNamedAndWhatWasJudgedIsThere) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's own handler is there first, and stays";
#endif
  const Outcome ended = wait(start_program({"a", "bb", "exit", "ccc"}));
  EXPECT_EQ(ended.code, 70);
  EXPECT_EQ(lines(ended).size(), 2u);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("a plugin ended the program with exit() in reward wild at "),
                               HasSubstr("rows.jsonl:3\n")));
  const Outcome crashed = wait(start_program({"a", "b", "c", "crash", "d"}, {"--batch", "3"}));
  EXPECT_EQ(crashed.code, 128 + SIGSEGV);
  EXPECT_EQ(lines(crashed).size(), 3u);
  EXPECT_THAT(crashed.err, AllOf(HasSubstr("the program crashed (segmentation fault) in reward wild at "),
                                 HasSubstr("rows.jsonl:4 to 5\n")));
}

TEST_F(Score, WhatWasJudgedIsWrittenBeforeTheNextRow) {
  const pid_t pid = start_program({"a", "bb", "hang"});
  await("out.txt", "\"reward\":2,");
  ::kill(pid, SIGKILL);
  EXPECT_EQ(lines(wait(pid)).size(), 2u);
}

TEST_F(Score, CtrlCEndsItWithTheTableOfWhatThereIs) {
  const pid_t pid = start_program({"a", "bb", "late", "ccc"}, {"--timeout", "1s", "--summary"});
  await("out.txt", "\"reward\":2,");
  ::kill(pid, SIGTERM);
  const Outcome outcome = wait(pid);
  EXPECT_EQ(outcome.code, kExitStopped);
  EXPECT_EQ(lines(outcome).size(), 3u) << "the call that it was at ends";
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("stopping after this call"), HasSubstr("3 rows\n"),
                                 HasSubstr("timed out"), HasSubstr("stopped after 3 rows")));
}

TEST_F(Score, ASecondCtrlCEndsItAtOnce) {
  const pid_t pid = start_program({"a", "hang"});
  await("out.txt", "\"reward\":1,");
  ::kill(pid, SIGINT);
  await("err.txt", "once more");
  ::kill(pid, SIGINT);
  const Outcome outcome = wait(pid);
  EXPECT_EQ(outcome.code, 130);
  EXPECT_EQ(lines(outcome).size(), 1u);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("ended at once"), Not(HasSubstr("checkpoint"))));
}

TEST_F(Score, WhatAPluginPrintsIsNoAnswer) {
  const Outcome outcome = wait(start_program({"print", "a"}));
  EXPECT_EQ(lines(outcome).size(), 2u);
  EXPECT_THAT(outcome.out, Not(HasSubstr("1000")));
  EXPECT_THAT(outcome.err, HasSubstr("{\"reward\": 1000}"));
}

TEST_F(Score, AHangIsNamedWithItsRow) {
  const pid_t pid = start_program({"a", "hang"}, {"--timeout", "100ms"});
  await("err.txt", "has not returned");
  ::kill(pid, SIGKILL);
  EXPECT_THAT(wait(pid).err, AllOf(HasSubstr("warning: score: reward 'wild' "), HasSubstr("rows.jsonl:2: "),
                                   HasSubstr("--timeout is 100ms"), HasSubstr("`isolation: process`"),
                                   HasSubstr("what was judged is written")));
}

TEST_F(Score, NothingJudgedIsNoSuccess) {
  const std::string rows = "{\"completion\": \"a\"}\n{\"completion\": \"b\"}\n";
  const Outcome none = score(rows, {}, "length", ", crash_every: 1");
  EXPECT_EQ(none.code, kExitFailed);
  EXPECT_EQ(lines(none).size(), 2u);
  EXPECT_THAT(none.err,
              HasSubstr("error: reward length judged none of the 2 rows. The commonest reasons:\n  2 "
                        "times: crashed: on request (line 1)"));
  EXPECT_EQ(score(rows, {}, "length", ", crash_every: 2").code, 0);
}

TEST_F(Score, TokenIdsAreNotMadeUp) {
  const Outcome outcome =
      score("{\"completion\": \"a\", \"tokens\": 200}\n{\"completion\": \"b\", \"tokens\": [1]}\n", {},
            "length", ", needs_tokens: true");
  EXPECT_EQ(lines(outcome).at(0).at("status").as_string(), "refused");
  EXPECT_EQ(lines(outcome).at(1).at("status").as_string(), "ok");
  EXPECT_THAT(outcome.err, HasSubstr("rows.jsonl:1: `tokens` is a number"));
}

// As samples.jsonl has it.
TEST_F(Score, TheFieldsOfMetaAreTheRows) {
  const Outcome outcome =
      score("{\"completion\": \"a\", \"say\": \"no\", \"meta\": {\"say\": \"yes: so\"}}\n");
  EXPECT_EQ(lines(outcome).at(0).at("verdict").as_string(), "yes");
}

// A reward sees them as it does in a run.
TEST_F(Score, NumbersAreAsTheyAreWritten) {
  for (const std::string number : {"2.500", "12345678901234567890123", "1e400", "-0", "1E+2"}) {
    const Outcome plain = score("{\"completion\": \"a\", \"say\": " + number + "}\n"),
                  of_run = score("{\"completion\": \"a\", \"meta\": {\"say\": " + number + "}}\n");
    EXPECT_EQ(lines(plain).at(0).at("reason").as_string(), number) << plain.err;
    EXPECT_EQ(lines(of_run).at(0).at("reason").as_string(), number) << of_run.err;
  }
}

TEST_F(Score, ARowMayBeDeep) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(score("{\"completion\": \"a\", \"tests\": " + deep + "}\n").code, 0);
}

TEST_F(Score, AByteOrderMarkIsNoPartOfTheFirstRow) {
  EXPECT_EQ(score("\xEF\xBB\xBF{\"completion\": \"a\"}").code, 0) << "nor need the last line end";
}

// With `config`, the entry of a stage's list is what is asked, as the stage would.
TEST_F(Score, AnEntryOfAListKeepsItsScopeAndItsSources) {
  std::string text = config();
  const std::string list = "{of: length, weight: 0.5}";
  text.replace(text.find(list), list.size(),
               "{of: length, weight: 0.5}, {of: length, scope: think, sources: [a]}");
  text.replace(text.find("{use: toy-reward}"), 17,
               "{use: toy-reward}\n  spare: {use: toy-reward, crash_every: 2}");
  const fs::path file = write_config(text);
  std::ofstream(dir_ / "rows.jsonl")
      << "{\"completion\": \"<think>abcd</think>1\", \"source\": \"a\"}\n{\"completion\": \"b\", \"source\": "
         "\"b\"}\n";
  const auto ask = [&](const std::string& reward, std::vector<std::string> more = {}) {
    return wait(start([=, this] {
      std::vector<std::string> all{"tenon", "score", "--reward", reward, "--config", file.string()};
      all.insert(all.end(), more.begin(), more.end());
      all.push_back((dir_ / "rows.jsonl").string());
      std::vector<char*> arguments;
      for (std::string& word : all) arguments.push_back(word.data());
      return command_line(static_cast<int>(arguments.size()), arguments.data());
    }));
  };
  const Outcome whole = ask("length"), part = ask("length#2", {"--stage", "zero"}), spare = ask("spare");
  EXPECT_EQ(lines(whole).at(0).at("reward").to_number<double>(), 20);
  EXPECT_THAT(whole.err,
              HasSubstr("note: reward length as stage zero has it (rewards/0); its weight does not"));
  ASSERT_EQ(lines(part).size(), 2u) << part.err;
  EXPECT_EQ(lines(part)[0].at("reward").to_number<double>(), 4);
  EXPECT_EQ(lines(part)[1].at("status").as_string(), "not applicable");
  EXPECT_EQ(lines(part)[1].at("reason").as_string(), "its source is \"b\"");
  EXPECT_THAT(part.err, HasSubstr("rewards/1), scope think, of rows whose source is one of a;"));
  ASSERT_EQ(lines(spare).size(), 2u) << spare.err;
  EXPECT_EQ(lines(spare)[1].at("status").as_string(), "crashed");
  EXPECT_THAT(spare.err, HasSubstr("as `components` has it"));
  EXPECT_THAT(ask("lengt").err, HasSubstr("There are: length (stage zero), length#2 (stage zero)."));
}

}  // namespace
}  // namespace tenon::host
