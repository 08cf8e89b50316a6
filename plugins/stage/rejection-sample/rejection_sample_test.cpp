// Tests of rejection sampling: what is kept is what is good, everything else has its reason, and a resumed stage goes on with the same rows.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>

#include "http/testing/server.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", model.ref("policy"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("data", data.ref("sums"));
    host.slot("sampler", sampler.ref());
    if (options.find("rewards") == std::string::npos) return;
    host.slot("rewards/0", even.ref("even"));
    host.slot("rewards/1", size.ref("size"));
  }
  std::vector<Row>& kept() { return host.rows["kept"]; }
  std::vector<Row>& rejected() { return host.rows["rejected"]; }
  double sum(const std::string& metric) const {
    double all = 0;
    for (const auto& step : io.steps) all += step.metric(metric);
    return all;
  }

  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  HashModel model{host, 23, 48, 1};
  NaiveSampler sampler;
  RowSet data{{{"1+2=", "", "gold", R"({"answer":"3"})", "sums.jsonl:1"},
               {"7=", "", "", "{}"},
               {"1+2-3=", "", "", "{}"}}};
  LambdaReward even{[](const Sample& s) { return s.completion.size() % 2 == 0 ? 1.0 : 0.0; }};
  LambdaReward size{[](const Sample& s) { return static_cast<double>(s.completion.size()); }};
};

const std::string kAll =
    R"({"data": "sums", "rewards": ["even", "size"], "problems": 3, "samples": 20, "prompts": 2, "keep": 0, "max_new_tokens": 12,
  "record_rejected": true)";

std::string provenance(const Row& row, const char* field) {
  return *json::text_field(*row.meta("provenance"), field);
}

TEST(RejectionSample, EveryCompletionIsKeptOrHasItsReason) {
  Lab lab(kAll + "}");
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_EQ(lab.io.total_steps, 2u);
  EXPECT_EQ(lab.kept().size() + lab.rejected().size(), 60u);
  EXPECT_GT(lab.kept().size(), 5u);
  std::set<std::string> pairs, ids;
  for (const Row& row : lab.kept()) {
    EXPECT_EQ(row.completion.size() % 2, 0u);
    EXPECT_TRUE(pairs.insert(row.prompt + row.completion).second) << "twice: " << row.completion;
    EXPECT_EQ(json::text_field(provenance(row, "rewards"), "even"), "1");
  }
  std::map<std::string, int> reasons;
  for (const Row& row : lab.rejected()) {
    const std::string reason = provenance(row, "rejected");
    ++reasons[reason];
    if (reason == "even") {
      EXPECT_EQ(row.completion.size() % 2, 1u);
    }
    if (reason == "repeated") {
      EXPECT_TRUE(pairs.contains(row.prompt + row.completion));
    }
  }
  EXPECT_GT(reasons["even"], 0);
  // Shares of a step are of its completions: 40 in the first, 20 in the second.
  for (const char* reason : {"even", "repeated", "cut"})
    EXPECT_NEAR(lab.io.steps[0].metric(std::string("rejected/") + reason) * 40 +
                    lab.io.steps[1].metric(std::string("rejected/") + reason) * 20,
                reasons[reason], 1e-9)
        << reason;
  EXPECT_NEAR(lab.io.steps[0].metric("kept") * 40 + lab.io.steps[1].metric("kept") * 20,
              static_cast<double>(lab.kept().size()), 1e-9);
  for (const auto* rows : {&lab.kept(), &lab.rejected()})
    for (const Row& row : *rows) EXPECT_TRUE(ids.insert(provenance(row, "sample")).second);
}

TEST(RejectionSample, ARowSaysWhereItComesFromAndKeepsItsFields) {
  Lab lab(kAll + R"(, "first": 0})");
  run_stage(plugin_component(), lab.host, lab.io);
  for (const Row& row : lab.kept()) {
    EXPECT_EQ(provenance(row, "model"), "policy");
    const std::string prompts[] = {"1+2=", "7=", "1+2-3="};
    EXPECT_EQ(prompts[std::stoul(provenance(row, "row"))], row.prompt);
    if (row.prompt != "1+2=") continue;
    EXPECT_EQ(row.meta("answer"), "3");
    EXPECT_EQ(provenance(row, "place"), "sums.jsonl:1");
    EXPECT_NE(row.completion, "gold");
  }
}

TEST(RejectionSample, OfRowsThatWereMadeSoTheOriginIsKept) {
  Lab lab(kAll + "}");
  RowSet again({{"1+2=", "", "", R"({"provenance":{"model":"older","row":7},"answer":"3"})"}});
  lab.host.slot("data", again.ref("again"));
  run_stage(plugin_component(), lab.host, lab.io);
  ASSERT_FALSE(lab.kept().empty());
  EXPECT_EQ(provenance(lab.kept()[0], "model"), "policy");
  EXPECT_EQ(json::text_field(provenance(lab.kept()[0], "before"), "row"), "7");
  EXPECT_EQ(lab.kept()[0].meta("answer"), "3");
}

TEST(RejectionSample, ThresholdsAreOfTheRewardsThatHaveThem) {
  Lab lab(
      R"({"data": "sums", "rewards": [{"of": "even", "min": 0}, {"of": "size", "min": 5}], "problems": 3, "samples": 20, "keep": 0,
    "max_new_tokens": 12, "record_rejected": true})");
  run_stage(plugin_component(), lab.host, lab.io);
  bool any_odd = false;
  for (const Row& row : lab.kept()) {
    EXPECT_GE(row.completion.size(), 5u);
    any_odd |= row.completion.size() % 2 == 1;
  }
  EXPECT_TRUE(any_odd);
  for (const Row& row : lab.rejected())
    if (provenance(row, "rejected") == "size") {
      EXPECT_LT(row.completion.size(), 5u);
    }
  EXPECT_GT(lab.sum("rejected/size"), 0);
}

TEST(RejectionSample, KeepsTheFirstOrTheShortest) {
  std::map<std::string, std::set<size_t>> good;
  std::map<std::string, size_t> first;
  Lab all(kAll + "}");
  run_stage(plugin_component(), all.host, all.io);
  for (const Row& row : all.kept()) {
    good[row.prompt].insert(row.completion.size());
    first.emplace(row.prompt, row.completion.size());
  }
  for (const char* choose : {"first", "shortest"}) {
    Lab lab(
        R"({"data": "sums", "rewards": ["even", "size"], "problems": 3, "samples": 20, "prompts": 2, "keep": 1, "max_new_tokens": 12,
      "choose": ")" +
        std::string(choose) + R"("})");
    run_stage(plugin_component(), lab.host, lab.io);
    EXPECT_EQ(lab.kept().size(), good.size());
    for (const Row& row : lab.kept())
      EXPECT_EQ(row.completion.size(),
                std::string(choose) == "first" ? first[row.prompt] : *good[row.prompt].begin());
    EXPECT_GT(lab.sum("rejected/surplus"), 0);
    EXPECT_THAT(lab.rejected(), IsEmpty());
  }
}

TEST(RejectionSample, DropsWhatMatchesAndLongParagraphs) {
  Lab lab(kAll + R"(, "drop": [{"name": "sevens", "regex": "7"}], "max_paragraph": 6})");
  run_stage(plugin_component(), lab.host, lab.io);
  for (const Row& row : lab.kept()) {
    EXPECT_EQ(row.completion.find('7'), std::string::npos);
    EXPECT_LE(row.completion.size(), 6u);
  }
  EXPECT_GT(lab.sum("rejected/sevens"), 0);
  EXPECT_GT(lab.sum("rejected/paragraph"), 0);
}

TEST(RejectionSample, WhatNobodyJudgedIsNotKept) {
  Lab lab(kAll + "}");
  lab.even.f = [](const Sample& s) {
    if (s.prompt == "7=") refuse("no gold answer");
    return 1.0;
  };
  run_stage(plugin_component(), lab.host, lab.io);
  for (const Row& row : lab.kept()) EXPECT_NE(row.prompt, "7=");
  EXPECT_GT(lab.io.steps[0].metric("rejected/not_judged"), 0);
}

TEST(RejectionSample, NothingKeptIsAnError) {
  Lab lab(kAll + "}");
  lab.even.f = [](const Sample&) { return 0.0; };
  try {
    run_stage(plugin_component(), lab.host, lab.io);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("none of 60 completions was kept"));
  }
}

TEST(RejectionSample, BeginsWhereItIsTold) {
  Lab lab(
      R"({"data": "sums", "rewards": ["even"], "problems": 0, "first": 2, "samples": 20, "max_new_tokens": 12})");
  run_stage(plugin_component(), lab.host, lab.io);
  for (const Row& row : lab.kept()) EXPECT_EQ(row.prompt, "1+2-3=");
  Lab behind(R"({"data": "sums", "rewards": ["even"], "problems": 0, "first": 3})");
  EXPECT_THROW(run_stage(plugin_component(), behind.host, behind.io), Error);
}

TEST(RejectionSample, OptionsThatContradictEachOther) {
  auto findings = [](const std::string& options) {
    return check_findings(
        plugin_component(),
        FakeHost(plugin_component(), R"({"model": "m", "rewards": ["a"], )" + options + "}"));
  };
  EXPECT_THAT(findings(R"("temperature": 0)"), ElementsAre(HasSubstr("samples: with temperature: 0")));
  EXPECT_THAT(findings(R"("keep": 0, "choose": "shortest")"), ElementsAre(HasSubstr("choose: ")));
  EXPECT_THAT(findings(R"("drop": [{"name": "cut", "regex": "a"}])"),
              ElementsAre(HasSubstr("drop.0.name: ")));
  EXPECT_THAT(findings(R"("drop": [{"name": "a", "regex": "("}])"), ElementsAre(HasSubstr("drop.0.regex: ")));
  EXPECT_THAT(findings(R"("keep": 2)"), IsEmpty());
  EXPECT_THAT(findings(R"("template": "Say")"), ElementsAre(HasSubstr("template: names nothing of the row")));
  EXPECT_THAT(findings(R"("template": "Say {question")"), ElementsAre(HasSubstr("template: ")));
  EXPECT_THAT(findings(R"("into": "prompt")"), ElementsAre(HasSubstr("into: without a `template`")));
  EXPECT_THAT(findings(R"("server": {"url": "http://a/v1", "model": "m"})"),
              ElementsAre(HasSubstr("model: give a model (`from` gives one, too) or a `server`, not both")));
}

TEST(RejectionSample, WithoutAModelOrAServerItSaysSo) {
  EXPECT_THAT(check_findings(plugin_component(), FakeHost(plugin_component(), R"({"rewards": ["a"]})")),
              ElementsAre(HasSubstr("model: is missing: give `from`")));
  EXPECT_THAT(check_findings(plugin_component(),
                             FakeHost(plugin_component(),
                                      R"({"server": {"url": "http://a/v1", "model": "m"}, "min_p": 0.1})")),
              ElementsAre(HasSubstr("min_p: a server draws its completions itself")));
}

TEST(RejectionSample, WithoutRewardsWhatEndsIsKept) {
  Lab lab(
      R"({"data": "sums", "problems": 3, "samples": 20, "keep": 0, "max_new_tokens": 12, "record_rejected": true})");
  run_stage(plugin_component(), lab.host, lab.io);
  EXPECT_GT(lab.kept().size(), 10u);
  EXPECT_EQ(lab.kept().size() + lab.rejected().size(), 60u);
  for (const Row& row : lab.rejected())
    EXPECT_THAT(provenance(row, "rejected"), ::testing::AnyOf("cut", "repeated", "empty"));
}

class FromAServer : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("tenon-teacher-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // The stage's folder is the test's; no slot has a model.
  struct Asked {
    Asked(const std::string& options, const http::testing::Server& server, std::vector<Row> rows,
          const std::filesystem::path& folder)
        : host(plugin_component(),
               "{" + options + R"(, "data": "sums", "server": {"url": ")" + server.url("/v1") +
                   R"(", "model": "r1", "probe": false, "backoff": "0s", "attempts": 1}})"),
          io(host, folder.string()),
          data(std::move(rows)) {
      host.slot("data", data.ref("sums"));
      if (options.find("rewards") != std::string::npos) host.slot("rewards/0", right.ref("right"));
    }
    std::string run() {
      try {
        run_stage(plugin_component(), host, io);
      } catch (const Error& e) {
        return e.what();
      }
      return "";
    }
    FakeHost host;
    FakeIo io;
    RowSet data;
    LambdaReward right{[](const Sample& s) { return s.completion.ends_with("4") ? 1.0 : 0.0; }};
  };
  std::filesystem::path folder_;
};

const std::vector<Row> kSums{
    {"1+3=", "", "", R"({"answer":"4"})"},
    {"", R"([{"role":"system","content":"s"},{"role":"user","content":"2+2="}])", "four", "{}"}};

TEST_F(FromAServer, ThoughtAndAnswerBecomeTraces) {
  std::atomic<int> n{0};
  http::testing::Server server([&](const http::testing::Seen&) -> http::testing::Answer {
    return {200,
            R"({"choices":[{"message":{"reasoning_content":"well )" + std::to_string(n++) +
                R"(","content":"4"},"finish_reason":"stop"}]})",
            {}};
  });
  Asked lab(R"("rewards": ["right"], "samples": 3, "keep": 2, "choose": "shortest")", server, kSums, folder_);
  ASSERT_EQ(lab.run(), "");
  const auto& kept = lab.host.rows.at("kept");
  ASSERT_EQ(kept.size(), 4u);
  EXPECT_THAT(kept[0].completion, ::testing::MatchesRegex("<think>well [0-9]</think>4"));
  EXPECT_EQ(kept[0].meta("answer"), "4");
  EXPECT_EQ(provenance(kept[0], "model"), "r1");
  EXPECT_EQ(kept[2].messages_json, kSums[1].messages_json);
  EXPECT_NEAR(lab.io.steps[0].metric("rejected/surplus"), 2.0 / 6, 1e-12);
}

TEST_F(FromAServer, WhatWasAnsweredIsNotAskedAgain) {
  std::atomic<int> n{0};
  std::atomic<bool> is_down{true};
  http::testing::Server server([&](const http::testing::Seen&) -> http::testing::Answer {
    if (is_down && ++n > 3) return {402, "no money", {}};
    return {200, R"({"choices":[{"message":{"content":"is 4"},"finish_reason":"stop"}]})", {}};
  });
  const char* options = R"("samples": 4, "prompts": 1, "keep": 0)";
  Asked first(options, server, kSums, folder_);
  const std::string why = first.run();
  EXPECT_THAT(why, HasSubstr("of 4 completions could not be had from the server"));
  EXPECT_THAT(why, HasSubstr("no money"));
  is_down = false;
  const int before = server.requests();
  Asked again(options, server, kSums, folder_);
  ASSERT_EQ(again.run(), "");
  EXPECT_EQ(server.requests() - before, 8 - 3);
  EXPECT_EQ(again.host.rows.at("kept").size(), 2u) << "the same text for the same prompt counts once";
}

TEST_F(FromAServer, RewritesRows) {
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    const boost::json::value asked = boost::json::parse(seen.body).at("messages");
    const std::string text = boost::json::value_to<std::string>(asked.at(0).at("content"));
    EXPECT_EQ(asked.as_array().size(), 1u);
    const std::string said = text == "In other words: 1+3="   ? "<think>hm</think>\n one and three?\n"
                             : text == "In other words: 2+2=" ? "two and two?"
                                                              : "?" + text;
    return {200,
            boost::json::serialize(boost::json::object{
                {"choices",
                 boost::json::array{boost::json::object{{"message", boost::json::object{{"content", said}}},
                                                        {"finish_reason", "stop"}}}}}),
            {}};
  });
  Asked lab(R"("samples": 1, "template": "In other words: {question}", "into": "prompt")", server, kSums,
            folder_);
  ASSERT_EQ(lab.run(), "");
  const auto& kept = lab.host.rows.at("kept");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].prompt, "one and three?");
  EXPECT_EQ(kept[0].completion, "");
  EXPECT_EQ(kept[0].meta("answer"), "4");
  EXPECT_EQ(kept[1].messages_json,
            R"([{"role":"system","content":"s"},{"role":"user","content":"two and two?"}])");
  EXPECT_EQ(kept[1].completion, "four") << "what it was";

  Asked back(R"("samples": 1, "template": "{answer}!")", server, {kSums[0]}, folder_ / "b");
  ASSERT_EQ(back.run(), "");
  EXPECT_EQ(back.host.rows.at("kept")[0].prompt, "1+3=");
  EXPECT_EQ(back.host.rows.at("kept")[0].completion, "?4!");
  Asked missing(R"("samples": 1, "template": "{completion}")", server, kSums, folder_ / "c");
  EXPECT_THAT(missing.run(), HasSubstr("the row \"1+3=\": it has no completion, which `template` names"));
}

TEST_F(FromAServer, QuestionsWithoutAnAnswerAreCountedAndHaveTheirLimit) {
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (seen.body.find("1+3=") == std::string::npos)
      return {200, R"({"choices":[{"message":{"content":"4"},"finish_reason":"stop"}]})", {}};
    return {200, R"({"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]})", {}};
  });
  Asked strict(R"("rewards": ["right"], "samples": 2)", server, kSums, folder_);
  const std::string why = strict.run();
  EXPECT_THAT(why, HasSubstr("2 of 4 questions have no answer from the server; of this step 2, first: row "));
  EXPECT_THAT(why, HasSubstr("finish_reason \"content_filter\""));
  EXPECT_THAT(why, HasSubstr("more than max_unanswered = 0.1"));
  Asked lab(R"("rewards": ["right"], "samples": 2, "max_unanswered": 0.5)", server, kSums, folder_);
  std::vector<std::string> judged;
  lab.right.f = [&](const Sample& s) {
    judged.emplace_back(s.prompt);
    return 1.0;
  };
  ASSERT_EQ(lab.run(), "");
  EXPECT_EQ(judged.size(), 2u) << "what is not there is not judged";
  EXPECT_EQ(lab.host.rows.at("kept").size(), 1u);
  EXPECT_EQ(lab.io.steps[0].metric("rejected/not_judged"), 0.5);
  EXPECT_EQ(lab.io.steps[0].metric("unanswered"), 2);
  EXPECT_THAT(lab.host.logs.back().second, HasSubstr("2 of 4 questions have no answer"));
}

TEST_F(FromAServer, AnAnswerThatSaysNothingIsRejected) {
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    const bool is_first = seen.body.find("1+3=") != std::string::npos;
    return {200,
            is_first ? R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})"
                     : R"({"choices":[{"message":{"content":"4"},"finish_reason":"stop"}]})",
            {}};
  });
  Asked lab(R"("samples": 1)", server, kSums, folder_);
  ASSERT_EQ(lab.run(), "");
  EXPECT_EQ(lab.host.rows.at("kept").size(), 1u);
  EXPECT_EQ(lab.io.steps[0].metric("rejected/empty"), 0.5);
}

TEST_F(FromAServer, AQuestionThatIsNoneIsRejected) {
  http::testing::Server server([&](const http::testing::Seen&) -> http::testing::Answer {
    return {200, R"({"choices":[{"message":{"reasoning_content":"hm","content":" \n"}}]})", {}};
  });
  Asked lab(R"("samples": 1, "template": "{question}", "into": "prompt", "record_rejected": true)", server,
            kSums, folder_);
  EXPECT_THAT(lab.run(), HasSubstr("none of 2 completions was kept"));
  EXPECT_EQ(lab.io.steps.size(), 0u + 1);
  EXPECT_EQ(lab.io.steps[0].metric("rejected/empty"), 1);
  EXPECT_EQ(provenance(lab.host.rows.at("rejected")[0], "rejected"), "empty");
}

}  // namespace
}  // namespace tenon::test
