// `tenon score`: a reward on rows of a file, one line out for each line in.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

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
  EXPECT_THAT(outcome.err, AllOf(StartsWith("4 rows\n"),
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
  EXPECT_THAT(error_of("{\"completion\": 3"), HasSubstr("rows.jsonl:2: is not JSON"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("rows.jsonl:2: a row must be an object"));
  EXPECT_THAT(error_of("{\"answer\": \"4\"}"), HasSubstr("rows.jsonl:2: the row has no `completion`"));
  EXPECT_THAT(error_of("{\"completion\": \"a\", \"tokens\": [1, -2]}"),
              HasSubstr("rows.jsonl:2: `tokens` must be a list of token ids, or how many there are"));
  EXPECT_THAT(error_of("{\"completion\": 4}"), HasSubstr("rows.jsonl:2: `completion` must be a text"));
  EXPECT_THAT(error_of("{\"completion\": \"4\"}", {"--label", "right"}),
              HasSubstr("rows.jsonl:2: the row has no true, false or number in `right`"));
}

TEST_F(Score, WhatCannotBeStartedSaysWhy) {
  EXPECT_THAT(score("").err, HasSubstr("rows.jsonl: has no rows"));
  const Outcome wrong = score("{\"completion\": \"a\"}\n", {}, "lenght");
  EXPECT_EQ(wrong.code, kExitUser);
  EXPECT_THAT(wrong.err, HasSubstr("has a reward \"lenght\". Did you mean \"length\"?"));
  EXPECT_THAT(score("{}\n", {"--explain"}).err, HasSubstr("explain: unknown option of toy-reward"));
  EXPECT_THAT(score("{}\n", {"--timeout", "soon"}).err, HasSubstr("--timeout soon: takes a duration"));
}

}  // namespace
}  // namespace tenon::host
