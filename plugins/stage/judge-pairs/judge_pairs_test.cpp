// The stage `judge-pairs`: pairs, verdicts in both orders, rows, ratings, and judges that do not answer as they should.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <set>

#include "http/testing/server.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using http::testing::Answer;
using http::testing::Seen;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string question_of(const Seen& seen) {
  return std::string(boost::json::parse(seen.body).at("messages").at(0).at("content").as_string());
}
// The text of a part of the question, "RESPONSE A".
std::string part(const std::string& question, const std::string& name) {
  const size_t label = question.find("----- " + name), begin = question.find('\n', label) + 1;
  return question.substr(begin, question.find("\n----- ", begin) - begin);
}
Answer says(const std::string& text) {
  const boost::json::object message{{"content", text}};
  return {200,
          boost::json::serialize(boost::json::object{
              {"choices", boost::json::array{boost::json::object{{"message", message}}}}}),
          {}};
}
// A verdict with the mark that the question asks for.
Answer rules(const std::string& question, double a, double b) {
  const std::string key = "\"mark\": \"";
  const size_t mark = question.rfind(key) + key.size();
  return says("Well.\n{\"A\": " + std::to_string(a) + ", \"B\": " + std::to_string(b) + ", " + key +
              question.substr(mark, question.find('"', mark) - mark) + "\"}");
}
// From 1 to 10, by the number in a text: the judge's taste.
double taste(const std::string& text) {
  return 1 + std::stod("0" + text.substr(std::min(text.size(), text.find_first_of("0123456789"))));
}

struct Lab {
  // Options without the judge's; `server` may be null.
  explicit Lab(const std::string& options, const http::testing::Server* server, std::vector<Row> left,
               std::vector<Row> right, const fs::path& folder)
      : host(
            plugin_component(),
            "{" + options +
                (server
                     ? R"(, "server": {"url": ")" + server->url("/v1") +
                           R"(", "model": "judge", "probe": false, "attempts": 2, "backoff": "0s", "concurrency": 4})"
                     : "") +
                R"(, "data": ["left.kept", {"of": "right", "model": "strong"}]})"),
        io(host, folder.string()),
        a(std::move(left)),
        b(std::move(right)) {
    host.slot("data/0", a.ref("left.kept")), host.slot("data/1", b.ref("right")),
        host.slot("sampler", sampler.ref());
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
  RowSet a, b;
  NaiveSampler sampler;
};

class JudgePairs : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tenon-judge-" + std::to_string(::getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

Row row(const std::string& prompt, const std::string& completion, const std::string& model = "weak") {
  return {prompt, "", completion, R"({"k":1,"provenance":{"model":")" + model + R"(","row":3}})"};
}
const std::vector<Row> kLeft{row("p", "is 2"), row("q", "is 5"), row("r", "same"), row("alone", "x")};
const std::vector<Row> kRight{row("q", "is 5.5"), row("p", "<think>9</think>is 8"), row("r", "same")};

TEST_F(JudgePairs, BothOrdersAreAveragedAndClearOnesKept) {
  std::mutex mutex;
  std::set<std::string> asked;
  http::testing::Server server([&](const Seen& seen) {
    const std::string question = question_of(seen);
    {
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(asked.insert(seen.body).second) << "asked twice";
    }
    EXPECT_EQ(question.find("<think>"), std::string::npos) << "region: answer";
    // It likes what stands first, by one point.
    return rules(question, taste(part(question, "RESPONSE A")) + 1, taste(part(question, "RESPONSE B")));
  });
  Lab lab(R"("rounds": 2, "record_rejected": true)", &server, kLeft, kRight, folder_);
  ASSERT_EQ(lab.run(), "");
  EXPECT_EQ(server.requests(), 8) << "two pairs, four verdicts each; the same text needs no judge";
  const auto& kept = lab.host.rows.at("pairs");
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].prompt, "p");
  EXPECT_EQ(kept[0].completion, "<think>9</think>is 8");
  EXPECT_EQ(kept[0].meta("rejected"), "is 2");
  EXPECT_EQ(kept[0].meta("gap"), "6");
  EXPECT_EQ(kept[0].meta("k"), "1");
  const std::string from(*json::raw_field(kept[0].meta_json, "provenance"));
  EXPECT_THAT(from, HasSubstr(R"("judge":"judge","verdicts":{"as_a":[7,7],"as_b":[5,5]})"));
  EXPECT_THAT(from, HasSubstr(R"("better":{"model":"strong","of":"right","row":1,"before":{"model":"weak")"));
  EXPECT_THAT(from, HasSubstr(R"("worse":{"model":"weak","of":"left.kept","row":0)"));
  const auto& rejected = lab.host.rows.at("rejected");
  ASSERT_EQ(rejected.size(), 2u);
  EXPECT_EQ(rejected[0].meta("gap"), "0.5");
  EXPECT_THAT(rejected[0].meta_json, HasSubstr(R"("rejected":"close")"));
  EXPECT_THAT(rejected[1].meta_json, HasSubstr(R"("rejected":"equal")"));
  const auto& step = lab.io.steps.at(0);
  EXPECT_NEAR(step.metric("kept"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(step.metric("position_bias"), 1, 1e-12);
  EXPECT_NEAR(step.metric("gap"), 3.25, 1e-12);
  EXPECT_EQ(step.metric("order_flips"), 0.5) << "a half point between them, one for the place";
  EXPECT_THAT(step.samples.at(0), HasSubstr("Well."));
  EXPECT_THAT(lab.host.logs.back().second,
              HasSubstr("standing first was worth 1 points over 8 verdicts; in 1 of 2 pairs the two orders"));
  // Strong won twice and was once its equal.
  EXPECT_EQ(lab.io.results.at("strong/judge/games"), 3);
  EXPECT_NEAR(lab.io.results.at("strong/judge/win_rate"), 2.5 / 3, 1e-12);
  EXPECT_GT(lab.io.results.at("strong/judge/elo"), lab.io.results.at("weak/judge/elo"));
  EXPECT_LE(lab.io.results.at("strong/judge/elo_low"), lab.io.results.at("strong/judge/elo"));
}

TEST_F(JudgePairs, APreferenceForAPlaceAloneKeepsNothing) {
  http::testing::Server server([&](const Seen& seen) { return rules(question_of(seen), 9, 3); });
  Lab lab(R"("prompts": 1)", &server, kLeft, kRight, folder_);
  EXPECT_THAT(lab.run(), HasSubstr("of 2 pairs that were judged none has a gap above min_gap = 1"));
  EXPECT_EQ(lab.io.steps.at(0).metric("position_bias"), 6);
  EXPECT_EQ(lab.io.steps.at(0).metric("order_flips"), 1);
}

TEST_F(JudgePairs, WhatCannotBeReadIsCountedAndHasItsLimit) {
  http::testing::Server server([&](const Seen& seen) {
    const std::string question = question_of(seen);
    return part(question, "REQUEST") == "q" && part(question, "RESPONSE A") == "is 5"
               ? says("I like both.")
               : rules(question, taste(part(question, "RESPONSE A")), taste(part(question, "RESPONSE B")));
  });
  Lab strict("\"max_unjudged\": 0.4", &server, kLeft, kRight, folder_);
  EXPECT_THAT(strict.run(),
              HasSubstr("the judge gave no verdict on 1 of 2 pairs, more than max_unjudged allows "
                        "(0.4), first: "));
  Lab lab(R"("max_unjudged": 0.5, "record_rejected": true)", &server, kLeft, kRight, folder_ / "other");
  ASSERT_EQ(lab.run(), "");
  EXPECT_NEAR(lab.io.steps.at(0).metric("rejected/unjudged"), 1.0 / 3, 1e-12);
  EXPECT_THAT(lab.host.rows.at("rejected")[0].meta_json, HasSubstr("no verdict in JSON"));
  EXPECT_EQ(lab.host.rows.at("rejected")[0].meta("gap"), std::nullopt);
  EXPECT_EQ(lab.io.results.at("strong/judge/games"), 2);
}

// A server that fails in the middle: what it answered is not asked, and so not paid for, again.
TEST_F(JudgePairs, AnswersOutliveAnError) {
  std::atomic<int> n{0};
  std::atomic<bool> is_down{true};
  http::testing::Server server([&](const Seen& seen) -> Answer {
    if (is_down && ++n > 5) return {402, "no money", {}};
    const std::string question = question_of(seen);
    return rules(question, taste(part(question, "RESPONSE A")), taste(part(question, "RESPONSE B")));
  });
  Lab first("\"prompts\": 16", &server, kLeft, kRight, folder_);
  const std::string why = first.run();
  EXPECT_THAT(why, HasSubstr("a verdict could not be had from the server: status 402"));
  EXPECT_THAT(why, HasSubstr("no money"));
  EXPECT_THAT(why, HasSubstr("tenon resume"));
  is_down = false;
  const int before = server.requests();
  Lab again("\"prompts\": 16", &server, kLeft, kRight, folder_);
  ASSERT_EQ(again.run(), "");
  EXPECT_EQ(server.requests() - before, 3) << "five of eight are there";
  EXPECT_EQ(again.host.rows.at("pairs").size(), 1u);
}

void run(const Instance& instance, FakeIo& io) {
  const tenon_call call = cpu_call();
  ErrorBuffer err;
  const auto* stage = static_cast<const tenon_stage_vt*>(plugin_component().vt);
  err.check(stage->run(instance.self(), &call, io.raw(), err));
}

TEST_F(JudgePairs, GoesOnFromACheckpointWithTheSameRowsAndRatings) {
  http::testing::Server server([&](const Seen& seen) {
    const std::string question = question_of(seen);
    return rules(question, taste(part(question, "RESPONSE A")), taste(part(question, "RESPONSE B")));
  });
  const char* options = R"("prompts": 1, "min_gap": 0)";
  Lab whole(options, &server, kLeft, kRight, folder_ / "whole");
  ASSERT_EQ(whole.run(), "");
  Lab parts(options, &server, kLeft, kRight, folder_ / "parts");
  std::string state;
  {
    const Instance instance(plugin_component(), parts.host);
    parts.io.stop_after = 0;
    EXPECT_THROW(run(instance, parts.io), Error);
    state = instance.save();
  }
  parts.io.stop_after.reset(), parts.io.set_first_step(1);
  fs::remove_all(folder_ / "parts");
  const int before = server.requests();
  Instance again(plugin_component(), parts.host);
  again.load(state);
  run(again, parts.io);
  EXPECT_EQ(server.requests() - before, 4) << "the first pair is not judged again";
  ASSERT_EQ(parts.host.rows.at("pairs").size(), whole.host.rows.at("pairs").size());
  for (size_t k = 0; k < 2; ++k)
    EXPECT_EQ(parts.host.rows.at("pairs")[k].meta_json, whole.host.rows.at("pairs")[k].meta_json);
  EXPECT_EQ(parts.io.results, whole.io.results);
}

TEST_F(JudgePairs, PairsAreDrawnAndBounded) {
  LambdaReward size{[](const Sample& s) { return static_cast<double>(s.completion.size()); }};
  std::vector<Row> left, right;
  for (int k = 0; k < 3; ++k) left.push_back(row("p", std::string(static_cast<size_t>(k * 4 + 1), 'a')));
  right.push_back(row("p", std::string(30, 'b')));
  right.push_back({"p", "", "", R"({"ranked":["cc","dddddd"]})"});
  const auto kept = [&](const std::string& options) {
    Lab lab(options + R"(, "rewards": ["size"])", nullptr, left, right, folder_);
    lab.host.slot("rewards/0", size.ref("size"));
    EXPECT_EQ(lab.run(), "");
    for (const Row& one : lab.host.rows["pairs"]) {
      EXPECT_GT(one.completion.size(), one.meta("rejected")->size() + 1);
      EXPECT_EQ(one.meta("ranked"), std::nullopt);
    }
    return lab.host.rows["pairs"].size();
  };
  EXPECT_EQ(kept(R"("pairs": 0)"), 13u) << "of 15, two differ by one: 1 and 2, 5 and 6";
  EXPECT_EQ(kept(R"("pairs": 0, "across_models": true)"), 7u) << "of 9";
  EXPECT_EQ(kept(R"("pairs": 0, "max_length_ratio": 3)"), 4u)
      << "5 and 9, 2 and 5, 2 and 6, 6 and 9: not 2 and 9 or the long one; 1 and 2 are close";
  EXPECT_LE(kept(R"("pairs": 4)"), 4u);
}

const std::string kPrintable = [] {
  std::string out = "$\n\xe2\x80\xa6";
  for (char c = ' '; c <= '~'; ++c)
    if (c != '$') out += c;
  return out;
}();

// A sampler in whose place the judge's rule answers.
struct RuleSampler {
  LetterTokenizer tokenizer{kPrintable};
  int unreadable = 0;  // so many answers at first
  int asked = 0;
  void generate(const tenon_call*, const Model&, const tenon_generate_in& in, const tenon_generate_out& out) {
    for (uint64_t i = 0; i < in.n; ++i) {
      const std::string question = tokenizer.decode(tenon::row<int32_t>(in.prompt_ids, i), 0);
      const Answer answer =
          rules(question, taste(part(question, "RESPONSE A")), taste(part(question, "RESPONSE B")));
      std::string text(
          boost::json::parse(answer.body).at("choices").at(0).at("message").at("content").as_string());
      if (asked++ < unreadable) text = "hm";
      std::vector<int32_t> ids = tokenizer.encode(text, 0);
      ids.push_back(0);
      const std::vector<float> logprobs(ids.size(), -1);
      EXPECT_EQ(out.done(out.ctx, i, ids.data(), logprobs.data(), ids.size(), TENON_FINISH_STOP), TENON_OK);
    }
  }
};

TEST_F(JudgePairs, AModelOfThisProcessJudges) {
  Lab lab(R"("judge": "critic", "rounds": 1)", nullptr, kLeft, kRight, folder_);
  RuleSampler sampler;
  sampler.unreadable = 3;
  HashModel critic(lab.host, kPrintable.size(), 8000);
  lab.host.slot("judge", critic.ref("critic")), lab.host.slot("judge.tokenizer", sampler.tokenizer.ref());
  lab.host.slot("sampler", ref_to<SamplerShim<RuleSampler>>(sampler, "rule", "rule"));
  ASSERT_EQ(lab.run(), "");
  EXPECT_EQ(sampler.asked, 7) << "four verdicts, three of them once more";
  ASSERT_EQ(lab.host.rows.at("pairs").size(), 1u);
  EXPECT_EQ(lab.host.rows.at("pairs")[0].meta("gap"), "6");
  EXPECT_THAT(lab.host.rows.at("pairs")[0].meta_json, HasSubstr(R"("judge":"critic")"));
}

TEST_F(JudgePairs, AModelOfThisProcessThatBabblesHasNoVerdict) {
  Lab lab(R"("judge": "critic", "max_new_tokens": 4, "rounds": 1, "max_unjudged": 0.1)", nullptr, kLeft,
          kRight, folder_);
  LetterTokenizer tokenizer{kPrintable};
  HashModel critic(lab.host, tokenizer.alphabet.size(), 4000);
  lab.host.slot("judge", critic.ref("critic")), lab.host.slot("judge.tokenizer", tokenizer.ref());
  EXPECT_THAT(lab.run(), HasSubstr("the judge gave no verdict on 2 of 2 pairs"));
  EXPECT_EQ(lab.sampler.calls, 2u) << "asked again once";

  Lab small(R"("judge": "critic", "max_new_tokens": 4)", nullptr, kLeft, kRight, folder_);
  HashModel forgetful(small.host, tokenizer.alphabet.size(), 40);
  small.host.slot("judge", forgetful.ref("critic")), small.host.slot("judge.tokenizer", tokenizer.ref());
  EXPECT_THAT(small.run(), HasSubstr("its context of max_len = 40 tokens leaves no room for a verdict"));
}

TEST_F(JudgePairs, RowsThatCannotBeCompared) {
  LambdaReward zero{[](const Sample&) { return 0.0; }};
  const auto why = [&](std::vector<Row> left, std::vector<Row> right) {
    Lab lab(R"("rewards": ["zero"])", nullptr, std::move(left), std::move(right), folder_);
    lab.host.slot("rewards/0", zero.ref("zero"));
    return lab.run();
  };
  EXPECT_THAT(why({row("p", "x")}, {row("q", "y")}), HasSubstr("none of 2 questions has two completions"));
  EXPECT_THAT(
      why({row("p", "")}, {row("p", "y")}),
      HasSubstr("data: no row of left.kept has a completion, or a list of them in a field \"ranked\""));
  EXPECT_THAT(why({row("p", ""), row("p", "x")}, {row("p", "y")}), HasSubstr("of 1 pairs that were judged"));
  EXPECT_THAT(why({row("p", "x")}, {row("p", "y")}), HasSubstr("none has a gap above min_gap = 1"));
}

TEST(JudgePairsOptions, ThatContradictEachOther) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  EXPECT_THAT(findings(R"({"data": ["a"]})"), ElementsAre(HasSubstr("server: is missing: give `server`")));
  EXPECT_THAT(findings(R"({"data": ["a"], "judge": "m", "rewards": ["r"]})"),
              ::testing::Contains(HasSubstr("give one of `server`, `judge` and `rewards`")));
  EXPECT_THAT(findings(R"({"data": ["a"], "rewards": ["r"], "rounds": 3, "max_length_ratio": 0.5})"),
              ElementsAre(HasSubstr("rounds: "), HasSubstr("max_length_ratio: ")));
  EXPECT_THAT(findings(R"({"data": ["a"], "server": {"url": "http://a/v1/chat/completions", "model": "m"}})"),
              ElementsAre(HasSubstr("server.url: give the address without /chat/completions")));
}

}  // namespace
}  // namespace tenon::test
