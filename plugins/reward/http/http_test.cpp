// The reward against a server of its own: what it sends, what it reads, and what it makes of answers that are none.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "http/testing/server.h"
#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

namespace json = boost::json;
using Options = std::map<std::string, std::string>;
using tenon::http::testing::Answer;
using tenon::http::testing::Seen;
using tenon::http::testing::Server;
using ::testing::HasSubstr;

struct Outcome {
  double reward = -77;
  int32_t status = TENON_R_UNSET;
  std::string why;
  std::map<std::string, double> notes;
};

std::vector<Outcome> outcomes_of(const Server& server, Options options,
                                 const std::vector<std::string>& completions,
                                 std::function<bool()> cancelled = {}) {
  options["url"] = "\"" + server.url("/score") + "\"";
  options.try_emplace("probe", "false");
  options.try_emplace("backoff", "\"0s\"");
  options.try_emplace("attempts", "3");
  tenon::testing::Instance<tenon_reward_vt> reward(
      tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), options);
  if (cancelled) reward.host.cancelled = cancelled;
  tenon::Ragged<char> prompts, texts, metas;
  std::vector<uint64_t> id;
  for (const std::string& text : completions) {
    prompts.push(std::string_view("the prompt"));
    texts.push(text);
    metas.push(std::string_view(R"({"answer":"18"})"));
    id.push_back(id.size());
  }
  std::vector<Outcome> out(completions.size());
  std::vector<double> rewards(out.size());
  std::vector<int32_t> status(out.size(), TENON_R_UNSET);
  tenon_reward_in in{sizeof in,     0,           out.size(),  id.data(), id.data(),
                     prompts.raw(), texts.raw(), metas.raw(), {},        nullptr};
  tenon_reward_out to{sizeof to,
                      0,
                      rewards.data(),
                      status.data(),
                      nullptr,
                      &out,
                      [](void* ctx, uint64_t i, const char* s, uint64_t n) {
                        (*static_cast<std::vector<Outcome>*>(ctx))[i].why.assign(s, n);
                      },
                      [](void* ctx, uint64_t i, const char* key, double v) {
                        (*static_cast<std::vector<Outcome>*>(ctx))[i].notes[key] = v;
                      },
                      nullptr};
  tenon::ErrorBuffer err;
  err.check(reward.vt->score(reward.self, nullptr, &in, &to, err));
  for (size_t i = 0; i < out.size(); ++i) out[i].reward = rewards[i], out[i].status = status[i];
  return out;
}

// Rewards each completion with its number of bytes.
Answer lengths(const Seen& seen) {
  json::array rewards;
  const json::value body = json::parse(seen.body);
  for (const json::value& sample : body.at("samples").as_array())
    rewards.push_back(sample.at("completion").as_string().size());
  return {200, json::serialize(json::object{{"rewards", rewards}}), {}};
}

TEST(HttpReward, SendsSamplesAndReadsNumbers) {
  std::mutex mutex;
  std::vector<std::string> bodies;
  Server server([&](const Seen& seen) {
    std::lock_guard lock(mutex);
    bodies.push_back(seen.body);
    return lengths(seen);
  });
  const auto out = outcomes_of(server, {{"batch", "2"}}, {"a", "bb", "ccc", "d\"\u00E9", "eeeee"});
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].status, TENON_R_OK) << out[i].why;
    EXPECT_EQ(out[i].reward, static_cast<double>(i + 1));
  }
  ASSERT_EQ(bodies.size(), 3u);
  const json::value first = json::parse(*std::find_if(
      bodies.begin(), bodies.end(), [](const std::string& b) { return b.find("\"bb\"") != b.npos; }));
  const json::value& sample = first.at("samples").at(1);
  EXPECT_EQ(sample.at("prompt").as_string(), "the prompt");
  EXPECT_EQ(sample.at("meta").at("answer").as_string(), "18");
  EXPECT_EQ(sample.at("id").to_number<int>(), 1);
}

TEST(HttpReward, OutcomesReasonsAndNotes) {
  Server server([](const Seen&) {
    return Answer{
        200,
        R"({"rewards": [null, {"reward": 0.5, "reason": "half", "notes": {"units": 1}}, {"status": "refused", "reason": "no gold"}, -1]})",
        {}};
  });
  const auto out = outcomes_of(server, {}, {"a", "b", "c", "d"});
  EXPECT_EQ(out[0].status, TENON_R_NOT_APPLICABLE);
  EXPECT_EQ(out[1].reward, 0.5);
  EXPECT_EQ(out[1].why, "half");
  EXPECT_EQ(out[1].notes.at("units"), 1);
  EXPECT_EQ(out[2].status, TENON_R_REFUSED);
  EXPECT_EQ(out[2].why, "no gold");
  EXPECT_EQ(out[3].reward, -1);
}

TEST(HttpReward, NonsenseIsTriedAgainAndThenCrashed) {
  for (const char* body : {"", "nonsense", "[]", "{}", R"({"rewards": 1})", R"({"rewards": []})",
                           R"({"rewards": [1, 2]})", R"({"rewards": [1)", R"({"rewards": ["NaN)"}) {
    std::atomic<int> asked{0};
    Server server([&](const Seen&) { return ++asked, Answer{200, body, {}}; });
    const Outcome out = outcomes_of(server, {}, {"a"})[0];
    EXPECT_EQ(out.status, TENON_R_CRASHED) << body;
    EXPECT_THAT(out.why, HasSubstr("the server's answer is of no use")) << body;
    EXPECT_THAT(out.why, testing::Not(HasSubstr("boost"))) << body;
    EXPECT_GT(asked, 1) << body;
  }
  std::atomic<int> n{0};
  Server server([&](const Seen& seen) { return ++n < 3 ? Answer{200, "nonsense", {}} : lengths(seen); });
  EXPECT_EQ(outcomes_of(server, {}, {"abc"})[0].reward, 3);
}

TEST(HttpReward, AnElementThatSaysNothingCostsItsOwnSampleAndIsNotAskedForAgain) {
  const std::pair<const char*, const char*> elements[] = {
      {R"("good")", "is no number, null or object: \"good\""},
      {"NaN", "\"NaN\""},
      {"-Infinity", "\"-Infinity\""},
      {"1e999", "not a finite number"},
      {"[1]", "[1]"},
      {"{}", "has no number as \"reward\": it is absent"},
      {R"({"reward": "1"})", "has no number as \"reward\""},
      {R"({"reward": NaN})", "\"NaN\""},
      {R"({"status": "fine", "reward": 1})", "\"fine\""},
      {R"({"reward": 1, "notes": {"a": "b"}})", "note \"a\" is no number: \"b\""},
      {R"({"reward": 1, "notes": 3})", "\"notes\" is no object"},
      {R"({"reward": 1, "reason": 3})", "a \"reason\" is no text"}};
  for (const auto& one : elements) {
    const char *element = one.first, *why = one.second;
    std::atomic<int> asked{0};
    Server server([&](const Seen&) {
      ++asked;
      return Answer{
          200,
          R"({"rewards": [1, )" + std::string(element) + R"(, {"reward": 2, "reason": "NaN \" NaN"}]})",
          {}};
    });
    const auto out = outcomes_of(server, {}, {"a", "b", "c"});
    EXPECT_EQ(out[0].reward, 1) << element << out[0].why;
    EXPECT_EQ(out[1].status, TENON_R_CRASHED) << element;
    EXPECT_THAT(out[1].why, HasSubstr(why)) << element;
    EXPECT_EQ(out[2].reward, 2) << element << out[2].why;
    EXPECT_EQ(out[2].why, "NaN \" NaN") << "texts are left as they are";
    EXPECT_EQ(asked, 1) << element;
  }
}

TEST(HttpReward, ErrorsAreNeverZero) {
  Server broken([](const Seen&) { return Answer{500, "out of memory", {}}; });
  const Outcome crashed = outcomes_of(broken, {}, {"a"})[0];
  EXPECT_EQ(crashed.status, TENON_R_CRASHED);
  EXPECT_THAT(crashed.why, HasSubstr("status 500 of /score: out of memory (3 attempts)"));
  Server silent([](const Seen&) { return Answer{200, "", {}, false, false, 60}; });
  const Outcome late = outcomes_of(silent, {{"timeout", "\"0.05s\""}, {"attempts", "1"}}, {"a"})[0];
  EXPECT_EQ(late.status, TENON_R_TIMED_OUT);
  std::atomic<int> asked{0};
  const Outcome stopped = outcomes_of(silent, {}, {"a"}, [&] { return ++asked > 2; })[0];
  EXPECT_EQ(stopped.status, TENON_R_TIMED_OUT) << "the call's deadline";
}

TEST(HttpReward, OneRequestThatFailsCostsItsOwnSamples) {
  Server server([](const Seen& seen) {
    return seen.body.find("poison") != std::string::npos ? Answer{400, "no", {}} : lengths(seen);
  });
  const auto out = outcomes_of(server, {{"batch", "1"}}, {"a", "poison", "ccc"});
  EXPECT_EQ(out[0].reward, 1);
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_EQ(out[2].reward, 3);
}

TEST(HttpReward, NonsenseInOneAnswerCostsItsOwnSamples) {
  Server server([](const Seen& seen) {
    return seen.body.find("poison") != std::string::npos
               ? Answer{200, R"({"rewards": [{"reward": 1, "notes": {"a": "b"}}]})", {}}
               : lengths(seen);
  });
  const auto out = outcomes_of(server, {{"batch", "1"}}, {"a", "poison", "ccc"});
  EXPECT_EQ(out[0].reward, 1) << out[0].why;
  EXPECT_EQ(out[1].status, TENON_R_CRASHED);
  EXPECT_EQ(out[2].reward, 3) << out[2].why;
}

TEST(HttpReward, AServerThatIsNotThereIsAnErrorAtTheStart) {
  auto error_of = [](const std::string& url) -> std::string {
    try {
      const tenon::testing::Instance<tenon_reward_vt> reward(
          tenon::testing::component_of(tenon_plugin_query_v1(nullptr)), {{"url", "\"" + url + "\""}});
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "";
  };
  std::string gone;
  {
    Server server([](const Seen&) { return Answer{405, "", {}}; });
    EXPECT_EQ(error_of(server.url("/score")), "") << "it takes no GET, but it is there";
    gone = server.url("/score");
  }
  EXPECT_THAT(error_of(gone), HasSubstr("option url: nobody answers there"));
  Server closed([](const Seen& seen) { return Answer{seen.method == "GET" ? 401u : 200u, "no key", {}}; });
  EXPECT_THAT(error_of(closed.url("/score")), HasSubstr("option token_env: "));
}

TEST(HttpReward, AKeyIsNeverTold) {
  ::setenv("TENON_HTTP_TEST_TOKEN", "sk-12345", 1);
  Server server([](const Seen& seen) {
    return Answer{401, "bad key: " + seen.headers.at("authorization"), {}};
  });
  const Outcome out = outcomes_of(server, {{"token_env", "\"TENON_HTTP_TEST_TOKEN\""}}, {"abc"})[0];
  EXPECT_EQ(out.why, "status 401 of /score: bad key: Bearer …");
}

TEST(HttpReward, HeadersAndToken) {
  ::setenv("TENON_HTTP_TEST_TOKEN", "secret", 1);
  Server server([](const Seen& seen) {
    return seen.headers.at("authorization") == "Bearer secret" && seen.headers.at("x-run") == "a: b"
               ? lengths(seen)
               : Answer{401, "", {}};
  });
  EXPECT_EQ(
      outcomes_of(server, {{"token_env", "\"TENON_HTTP_TEST_TOKEN\""}, {"headers", "[\"X-Run: a: b\"]"}},
                  {"abc"})[0]
          .reward,
      3);
  EXPECT_THROW(outcomes_of(server, {{"token_env", "\"TENON_HTTP_TEST_NO_TOKEN\""}}, {"a"}), tenon::Error);
  EXPECT_THROW(outcomes_of(server, {{"headers", "[\"nonsense\"]"}}, {"a"}), tenon::Error);
}

TEST(HttpReward, AddressesAreCheckedAtTheirPlace) {
  const auto* component = tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
  auto findings = [&](Options options) { return tenon::testing::findings_of(component, std::move(options)); };
  EXPECT_THAT(findings({{"url", "\"example.org\""}}),
              ::testing::ElementsAre(HasSubstr("url: \"example.org\" is no address")));
  EXPECT_THAT(findings({{"url", "\"http://a\""}, {"verify", "false"}}),
              ::testing::ElementsAre(HasSubstr("plain http")));
  EXPECT_THAT(findings({{"url", "\"https://a\""}, {"proxy", "\"b\""}}),
              ::testing::ElementsAre(HasSubstr("proxy: \"b\" is no address")));
}

}  // namespace
