// Answers of servers: what they may look like, and that none is paid for twice.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/chat_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include "http/testing/server.h"
#include "support/fake_components.h"

namespace tenon::chat_server {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kFour =
    R"({"choices":[{"message":{"content":"4é"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}})";

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tenon-answers-" + std::to_string(::getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file() const { return folder_ / "kept/answers.jsonl"; }
  static std::string text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  fs::path folder_;
};
using KeptFile = Folder;
using Asked = Folder;

TEST(Reply, HasTextThoughtAndTokensAsFarAsTheServerSays) {
  const Reply plain = read_reply(kFour);
  EXPECT_EQ(plain.text, "4é");
  EXPECT_EQ(plain.thought, "");
  EXPECT_EQ(plain.finish, TENON_FINISH_STOP);
  EXPECT_EQ(plain.prompt_tokens, 7u);
  EXPECT_EQ(plain.completion_tokens, 2u);
  for (const char* field : {"reasoning_content", "reasoning"}) {
    const Reply thinking = read_reply(R"({"choices":[{"message":{"content":null,")" + std::string(field) +
                                      R"(":"hm"},"finish_reason":"length"}]})");
    EXPECT_EQ(thinking.thought, "hm");
    EXPECT_EQ(thinking.text, "");
    EXPECT_EQ(thinking.finish, TENON_FINISH_LENGTH);
    EXPECT_FALSE(thinking.prompt_tokens);
  }
  for (const char* usage : {"null", "{}", R"({"prompt_tokens":-1})", R"({"prompt_tokens":1e300})",
                            R"({"prompt_tokens":1.5})", R"({"prompt_tokens":18446744073709551616})",
                            R"({"prompt_tokens":"many"})", R"({"prompt_tokens":[7]})"})
    EXPECT_FALSE(read_reply(R"({"choices":[{"message":{"content":"x"}}],"usage":)" + std::string(usage) + "}")
                     .prompt_tokens)
        << usage;
}

TEST(Reply, WithoutTextOrCutForAnotherReasonIsNone) {
  const auto reply = [](const std::string& message, const char* finish) {
    return read_reply(R"({"choices":[{"message":)" + message + R"(,"finish_reason":)" + finish + "}]}");
  };
  for (const char* finish : {"\"stop\"", "null", "\"\""}) {
    EXPECT_EQ(reply(R"({"content":""})", finish).text, "") << "a model may say nothing";
    EXPECT_EQ(reply(R"({"content":null,"reasoning":"hm"})", finish).finish, TENON_FINISH_STOP);
    for (const char* message : {"{}", R"({"content":null})", R"({"content":null,"tool_calls":[{}]})",
                                R"({"content":[{"type":"text","text":"4"}]})"})
      EXPECT_THROW(reply(message, finish), Error) << message;
  }
  EXPECT_THROW(reply(R"({"content":null})", "\"length\""), Error);
  for (const char* finish : {"content_filter", "tool_calls", "function_call", "abort"}) try {
      reply(R"({"content":"4"})", ("\"" + std::string(finish) + "\"").c_str());
      FAIL() << finish;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(finish));
    }
}

TEST(Reply, ThatIsNone) {
  for (const char* body : {"", "no", "{}", "[]", R"({"choices":[]})", R"({"choices":[{}]})",
                           R"({"choices":[3]})", R"({"choices":)"})
    EXPECT_THROW(read_reply(body), Error) << body;
}

TEST_F(KeptFile, GivesBackWhatWasAdded) {
  const Reply first{"hm\n\"", "x\u00e9\n", TENON_FINISH_LENGTH, 3, 4};
  const Reply second{"", "", TENON_FINISH_STOP, std::nullopt, std::nullopt};
  for (int round = 0; round < 2; ++round) {
    KeptAnswers kept(file());
    if (round == 0) kept.add("a", first), kept.add("b", second);
    ASSERT_EQ(kept.size(), 2u);
    const auto a = kept.find("a"), b = kept.find("b");
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->thought, first.thought);
    EXPECT_EQ(a->text, first.text);
    EXPECT_EQ(a->finish, first.finish);
    EXPECT_EQ(a->prompt_tokens, 3u);
    EXPECT_EQ(a->completion_tokens, 4u);
    EXPECT_EQ(b->text, "");
    EXPECT_FALSE(b->prompt_tokens);
    EXPECT_FALSE(kept.find("c"));
  }
}

// Wherever a crash cuts the file, what is whole stays and can be added to.
TEST_F(KeptFile, MayEndAnywhere) {
  {
    KeptAnswers kept(file());
    kept.add("a", {"", "one", TENON_FINISH_STOP, 1, 1});
    kept.add("b", {"", "two", TENON_FINISH_STOP, 1, 1});
  }
  const std::string whole = text_of(file());
  const size_t first = whole.find('\n') + 1;
  for (size_t length = 0; length <= whole.size(); ++length) {
    std::ofstream(file(), std::ios::binary) << whole.substr(0, length);
    {
      KeptAnswers kept(file());
      EXPECT_EQ(kept.size(), length == whole.size() ? 2u : length >= first ? 1u : 0u);
      kept.add("c", {"", "three", TENON_FINISH_STOP, 1, 1});
      EXPECT_EQ(kept.find("c")->text, "three");
    }
    KeptAnswers again(file());
    EXPECT_EQ(again.find("c")->text, "three") << length;
    EXPECT_EQ(again.find("a").has_value(), length >= first);
  }
}

TEST_F(KeptFile, ThatIsDamagedIsNamedWithItsLine) {
  { KeptAnswers(file()).add("a", {"", "one", TENON_FINISH_STOP, 1, 1}); }
  std::ofstream(file(), std::ios::app) << "{\"asked\": 3\n";
  try {
    KeptAnswers again(file());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("answers.jsonl:2: "));
  }
}

struct Lab {
  explicit Lab(const http::testing::Server& server)
      : host(
            R"({"server": {"url": ")" + server.url("/v1") +
            R"(", "model": "big", "probe": false, "headers": [], "timeout": "10s", "connect_timeout": "1s", "attempts": 3,
                "backoff": "0s", "concurrency": 2, "verify": true}})"),
        asker(Host(host.raw())) {}
  test::FakeHost host;
  ChatServer asker;
};
Question question(const char* text, uint64_t seed) {
  return {messages_of({text, "", "", ""}), seed, nullptr};
}

TEST_F(Asked, NothingIsAskedTwice) {
  std::atomic<bool> is_ill{false};
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    if (is_ill && seen.body.find("\"seed\":3") != std::string::npos) return {400, "ill", {}};
    return {200, kFour, {}};
  });
  const std::vector<Question> questions{question("1+3=", 1), question("1+3=", 2), question("2+2=", 3)};
  const tenon_call call = test::cpu_call();
  is_ill = true;
  {
    Lab lab(server);
    KeptAnswers kept(file());
    const auto answers = lab.asker.ask(&call, questions, {1, 0, 5}, &kept);
    EXPECT_EQ(answers[2].failure, http::Failure::kRefused);
    EXPECT_EQ(answers[1].reply.text, "4é");
  }
  EXPECT_EQ(server.requests(), 3);
  is_ill = false;
  Lab lab(server);
  KeptAnswers kept(file());
  auto answers = lab.asker.ask(&call, questions, {1, 0, 5}, &kept);
  EXPECT_EQ(server.requests(), 4) << "the one that was not there";
  EXPECT_TRUE(answers[0].was_kept && answers[1].was_kept && !answers[2].was_kept);
  for (const Answered& one : answers) EXPECT_EQ(one.reply.text, "4é");
  lab.asker.ask(&call, questions, {0.5, 0, 5}, &kept);
  EXPECT_EQ(server.requests(), 7) << "at another temperature it is another question";
}

TEST_F(Asked, WhatIsOfNoUseIsAskedAgainAndNotKept) {
  std::atomic<int> n{0};
  std::set<std::string> bodies;  // one question: one at a time
  http::testing::Server server([&](const http::testing::Seen& seen) -> http::testing::Answer {
    bodies.insert(seen.body);
    return {200, ++n < 3 ? R"({"choices":[{"message":{"content":"well"}}]})" : kFour, {}};
  });
  Lab lab(server);
  Question one = question("2+2=", 1);
  one.fault = [](const Reply& reply) {
    return reply.text == "well" ? std::optional<std::string>("no number") : std::nullopt;
  };
  const tenon_call call = test::cpu_call();
  KeptAnswers kept(file());
  EXPECT_EQ(lab.asker.ask(&call, std::span(&one, 1), {1, 0, 5}, &kept)[0].reply.text, "4é");
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(bodies.size(), 3u) << "each time with another seed";
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_TRUE(lab.asker.ask(&call, std::span(&one, 1), {1, 0, 5}, &kept)[0].was_kept)
      << "under the question as it was first asked";
  n = -10;
  one.seed = 2;
  const auto never = lab.asker.ask(&call, std::span(&one, 1), {1, 0, 5}, &kept);
  EXPECT_EQ(never[0].failure, http::Failure::kUseless);
  EXPECT_THAT(never[0].why, HasSubstr("no number (3 attempts)"));
  EXPECT_TRUE(never[0].is_unanswerable());
  EXPECT_EQ(kept.size(), 1u);
}

TEST_F(Asked, EqualQuestionsAreAskedOnce) {
  std::atomic<int> n{0};
  http::testing::Server server([&](const http::testing::Seen&) -> http::testing::Answer {
    return {200, R"({"choices":[{"message":{"content":")" + std::to_string(n++) + R"("}}]})", {}};
  });
  Lab lab(server);
  const tenon_call call = test::cpu_call();
  const std::vector<Question> questions{question("a", 1), question("b", 1), question("a", 1),
                                        question("a", 2)};
  const auto answers = lab.asker.ask(&call, questions, {1, 0, 5});
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(answers[0].reply.text, answers[2].reply.text);
  EXPECT_NE(answers[0].reply.text, answers[3].reply.text);
}

TEST_F(Asked, WhoeverIsNotWellIsToldFromAQuestionThatHasNoAnswer) {
  const std::pair<unsigned, bool> statuses[] = {{400, true},  {413, true},  {422, true}, {401, false},
                                                {402, false}, {404, false}, {503, false}};
  for (const auto& [status, is_of_the_question] : statuses) {
    http::testing::Server server([status = status](const http::testing::Seen&) -> http::testing::Answer {
      return {status, "no", {}};
    });
    Lab lab(server);
    const tenon_call call = test::cpu_call();
    const Question one = question("a", 1);
    const auto answers = lab.asker.ask(&call, std::span(&one, 1), {1, 0, 5});
    EXPECT_NE(answers[0].failure, http::Failure::kNone);
    EXPECT_EQ(answers[0].is_unanswerable(), is_of_the_question) << status;
  }
}

}  // namespace
}  // namespace tenon::chat_server
