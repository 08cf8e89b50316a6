// The client against a server of its own: answers, retries, time-outs, TLS, proxies, concurrency.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/client.h"
#include "http/testing/server.h"

namespace {

using namespace tenon::http;
using tenon::http::testing::Answer;
using tenon::http::testing::Certificate;
using tenon::http::testing::Seen;
using tenon::http::testing::Server;
using ::testing::HasSubstr;

Settings quick() {
  Settings settings;
  settings.timeout = std::chrono::seconds(20);
  settings.connect_timeout = std::chrono::seconds(20);
  settings.backoff = std::chrono::milliseconds(1);
  settings.max_backoff = std::chrono::milliseconds(5);
  settings.attempts = 3;
  return settings;
}
bool never() {
  return false;
}
Result get_one(const std::string& url, const Settings& settings, Request request = {}) {
  const Url parsed = parse_url(url);
  if (request.target.empty()) request.target = parsed.target;
  return Client(parsed, settings).run({request}, never).at(0);
}

TEST(Url, Parts) {
  const Url url = parse_url("https://example.org/v1/x?y=1#z");
  EXPECT_TRUE(url.is_tls);
  EXPECT_EQ(url.host, "example.org");
  EXPECT_EQ(url.port, "443");
  EXPECT_EQ(url.target, "/v1/x?y=1");
  EXPECT_EQ(url.authority(), "example.org");
  EXPECT_EQ(parse_url("http://[::1]:8000").authority(), "[::1]:8000");
  EXPECT_EQ(parse_url("http://[::1]:8000").host, "::1");
  EXPECT_EQ(parse_url("http://a:81?b").target, "/?b");
}

TEST(Url, WhatIsNone) {
  for (const char* text :
       {"", "example.org", "ftp://a", "http://", "http:///x", "http://a:0", "http://a:65536", "http://a:b",
        "http://a b", "http://user:pass@a", "http://[::1", "http://a:", "http://a/\r\nX: y"})
    EXPECT_THROW(parse_url(text), std::invalid_argument) << text;
  try {
    parse_url("http://user:secret@a");
  } catch (const std::invalid_argument& e) {
    EXPECT_THAT(e.what(), ::testing::Not(HasSubstr("secret")));
  }
}

TEST(Client, SendsAndReceives) {
  Server server([](const Seen& seen) {
    return Answer{200, seen.method + " " + seen.target + " " + seen.headers.at("x-a") + " " + seen.body, {}};
  });
  Request request;
  request.headers = {{"X-A", "b"}};
  request.body = "body";
  const Result result = get_one(server.url("/p?q"), quick(), request);
  EXPECT_EQ(result.failure, Failure::kNone) << result.why;
  EXPECT_EQ(result.response.body, "POST /p?q b body");
  EXPECT_EQ(result.attempts, 1u);
}

TEST(Client, ResultsAreInOrderAndConnectionsAreKept) {
  std::atomic<int> under_way{0}, most{0};
  Server server([&](const Seen& seen) {
    int now = ++under_way;
    for (int seen_most = most; now > seen_most && !most.compare_exchange_weak(seen_most, now);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    --under_way;
    return Answer{200, seen.body, {}};
  });
  std::vector<Request> requests(100);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].target = "/", requests[i].body = std::to_string(i);
  Settings settings = quick();
  settings.concurrency = 4;
  const auto results = Client(parse_url(server.url()), settings).run(requests, never);
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(results[i].response.body, std::to_string(i)) << results[i].why;
  EXPECT_LE(most, 4);
  EXPECT_GT(most, 1);
  EXPECT_EQ(server.connections(), 4);
}

TEST(Client, TriesAgainWhatMayPass) {
  for (unsigned status : {408u, 425u, 429u, 500u, 503u}) {
    std::atomic<int> n{0};
    Server server([&](const Seen&) {
      return ++n < 3 ? Answer{status, "busy", {}} : Answer{200, "done", {}};
    });
    const Result result = get_one(server.url(), quick());
    EXPECT_EQ(result.failure, Failure::kNone) << status << result.why;
    EXPECT_EQ(result.attempts, 3u);
  }
  Server server([&](const Seen&) { return Answer{503, "busy", {{"Retry-After", "3600"}}}; });
  const Result result = get_one(server.url(), quick());
  EXPECT_EQ(result.failure, Failure::kFailed);
  EXPECT_EQ(result.why, "status 503 of /: busy (3 attempts)");
  EXPECT_EQ(server.requests(), 3);
}

TEST(Client, DoesNotTryAgainWhatWillNotPass) {
  for (unsigned status : {301u, 400u, 401u, 404u}) {
    Server server([&](const Seen&) { return Answer{status, "no", {{"Location", "/elsewhere"}}}; });
    const Result result = get_one(server.url(), quick());
    EXPECT_EQ(result.failure, Failure::kRefused) << status;
    EXPECT_EQ(server.requests(), 1) << status;
    EXPECT_THAT(result.why, HasSubstr(std::to_string(status)));
    EXPECT_THAT(result.why, HasSubstr(status == 301 ? "to /elsewhere" : "no"));
  }
}

TEST(Client, TriesAgainWhatIsOfNoUse) {
  std::atomic<int> n{0};
  Server server([&](const Seen&) { return Answer{200, ++n < 2 ? "nonsense" : "sense", {}}; });
  Request request;
  request.fault = [](const Response& r) {
    return r.body == "sense" ? std::nullopt : std::optional<std::string>("nonsense");
  };
  EXPECT_EQ(get_one(server.url(), quick(), request).response.body, "sense");
  n = -100;
  const Result result = get_one(server.url(), quick(), request);
  EXPECT_EQ(result.failure, Failure::kUseless);
  EXPECT_EQ(result.why, "nonsense (3 attempts)");
}

TEST(Client, BrokenConnections) {
  std::atomic<int> n{0};
  Server server([&](const Seen&) {
    return ++n < 3 ? Answer{200, "", {}, false, true} : Answer{200, "done", {}};
  });
  EXPECT_EQ(get_one(server.url(), quick()).response.body, "done");
  n = -100;
  const Result broken = get_one(server.url(), quick());
  EXPECT_EQ(broken.failure, Failure::kFailed);
  EXPECT_THAT(broken.why, HasSubstr("closed the connection"));
  unsigned short closed = 0;
  {
    closed = Server([](const Seen&) { return Answer{}; }).port();
  }
  const Result none = get_one("http://127.0.0.1:" + std::to_string(closed), quick());
  EXPECT_EQ(none.failure, Failure::kFailed);
  EXPECT_EQ(none.attempts, 3u);
}

TEST(Client, AServerThatClosesKeptConnectionsCostsNoAttempt) {
  Server server([](const Seen& seen) { return Answer{200, seen.body, {}, true}; });
  std::vector<Request> requests(5);
  for (Request& r : requests) r.target = "/";
  Settings settings = quick();
  settings.concurrency = 1;
  for (const Result& result : Client(parse_url(server.url()), settings).run(requests, never)) {
    EXPECT_EQ(result.failure, Failure::kNone) << result.why;
    EXPECT_EQ(result.attempts, 1u);
  }
}

TEST(Client, NoAnswerIsATimeOut) {
  Server server([](const Seen&) { return Answer{200, "late", {}, false, false, 60}; });
  Settings settings = quick();
  settings.timeout = std::chrono::milliseconds(50);
  settings.attempts = 2;
  const Result result = get_one(server.url(), settings);
  EXPECT_EQ(result.failure, Failure::kTimedOut);
  EXPECT_EQ(result.attempts, 2u);
}

TEST(Client, StopEndsIt) {
  Server server([](const Seen&) { return Answer{200, "late", {}, false, false, 60}; });
  int asked = 0;
  const auto results = Client(parse_url(server.url()), quick()).run({Request{"GET", "/", {}, "", {}}}, [&] {
    return ++asked > 2;
  });
  EXPECT_EQ(results.at(0).failure, Failure::kStopped);
}

TEST(Client, LongAnswersAreRefused) {
  Server server([](const Seen&) { return Answer{200, std::string(1 << 20, 'x'), {}}; });
  Settings settings = quick();
  settings.max_response = 1000;
  const Result result = get_one(server.url(), settings);
  EXPECT_EQ(result.failure, Failure::kRefused) << result.why;
  EXPECT_THAT(result.why, HasSubstr("more than 1000 bytes"));
}

class Tls : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ =
        std::filesystem::temp_directory_path() / ("tenon-http-test-" + std::to_string(::getpid()) + ".pem");
    std::ofstream(file_) << certificate_.certificate;
  }
  void TearDown() override { std::filesystem::remove(file_); }

  Certificate certificate_ = Certificate::make();
  std::filesystem::path file_;
};

TEST_F(Tls, TrustsWhatItIsToldTo) {
  Server server([](const Seen& seen) { return Answer{200, seen.headers.at("host"), {}}; }, &certificate_);
  Settings settings = quick();
  settings.ca_file = file_;
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const Result result = get_one(server.url("/", host), settings);
    EXPECT_EQ(result.failure, Failure::kNone) << result.why;
    EXPECT_EQ(result.response.body, std::string(host) + ":" + std::to_string(server.port()));
  }
}

TEST_F(Tls, ACertificateThatNobodyTrustsIsNotAccepted) {
  Server server([](const Seen&) { return Answer{200, "x", {}}; }, &certificate_);
  const Result result = get_one(server.url("/", "localhost"), quick());
  EXPECT_EQ(result.failure, Failure::kFailed);
  EXPECT_THAT(result.why, HasSubstr("certificate"));
  EXPECT_EQ(result.attempts, 1u) << "it does not get better";
  EXPECT_EQ(server.requests(), 0);
  Settings blind = quick();
  blind.verifies = false;
  EXPECT_EQ(get_one(server.url("/", "localhost"), blind).failure, Failure::kNone);
}

TEST_F(Tls, ANameThatIsNotInTheCertificateIsNotAccepted) {
  Server server([](const Seen&) { return Answer{200, "x", {}}; }, &certificate_);
  Settings settings = quick();
  settings.ca_file = file_;
  const Result result = get_one(server.url("/", "127.0.0.2"), settings);
  EXPECT_NE(result.failure, Failure::kNone);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(Tls, FilesThatAreNoCertificates) {
  Settings settings = quick();
  settings.ca_file = "/nowhere.pem";
  EXPECT_THROW(Client(parse_url("https://localhost"), settings), std::runtime_error);
}

TEST(Proxy, APlainOneIsToldTheWholeAddress) {
  Server proxy([](const Seen& seen) { return Answer{200, seen.target, {}}; });
  Settings settings = quick();
  settings.proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  EXPECT_EQ(get_one("http://example.invalid/x", settings).response.body, "http://example.invalid/x");
}

// A proxy for one tunnel: CONNECT, and then bytes both ways. Tells what it was asked for.
class Tunnel {
 public:
  Tunnel(unsigned status, unsigned short to)
      : status_(status), to_(to), acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    thread_ = std::thread([this] { run(); });
  }
  ~Tunnel() { thread_.join(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  std::string asked;

 private:
  using Socket = boost::asio::ip::tcp::socket;
  static void copy(Socket& from, Socket& to) {
    char bytes[4096];
    boost::system::error_code error;
    while (const size_t n = from.read_some(boost::asio::buffer(bytes), error)) {
      boost::asio::write(to, boost::asio::buffer(bytes, n), error);
      if (error) break;
    }
    ::shutdown(to.native_handle(), SHUT_RDWR);
  }
  void run() {
    Socket client(io_), server(io_);
    acceptor_.accept(client);
    for (char c = 0; !asked.ends_with("\r\n\r\n"); asked += c)
      boost::asio::read(client, boost::asio::buffer(&c, 1));
    const std::string answer = "HTTP/1.1 " + std::to_string(status_) + " x\r\n\r\n";
    boost::asio::write(client, boost::asio::buffer(answer));
    if (status_ != 200) return;
    server.connect({boost::asio::ip::make_address("127.0.0.1"), to_});
    std::thread back([&] { copy(server, client); });
    copy(client, server);
    back.join();
  }

  unsigned status_;
  unsigned short to_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

TEST_F(Tls, ThroughAProxyTheCertificateIsTheServers) {
  Server server([](const Seen& seen) { return Answer{200, seen.target, {}}; }, &certificate_);
  Settings settings = quick();
  settings.ca_file = file_;
  {
    Tunnel tunnel(200, server.port());
    settings.proxy = tunnel.url();
    const Result result = get_one(server.url("/x", "localhost"), settings);
    EXPECT_EQ(result.failure, Failure::kNone) << result.why;
    EXPECT_EQ(result.response.body, "/x") << "in the tunnel the address is the server's own";
    EXPECT_THAT(tunnel.asked,
                ::testing::StartsWith("CONNECT localhost:" + std::to_string(server.port()) + " HTTP/1.1"));
  }
  Tunnel refusing(407, server.port());
  settings.proxy = refusing.url();
  settings.attempts = 1;
  const Result refused = get_one(server.url("/x", "localhost"), settings);
  EXPECT_EQ(refused.failure, Failure::kFailed);
  EXPECT_EQ(refused.why, "the proxy answers 407");
}

TEST(Proxy, TheEnvironmentIsNotUsedSilently) {
  ::setenv("http_proxy", "http://127.0.0.1:9", 1);
  ::setenv("no_proxy", "internal,.example.org", 1);
  EXPECT_EQ(environment_proxy(parse_url("http://a")), "http://127.0.0.1:9");
  EXPECT_EQ(environment_proxy(parse_url("http://internal")), std::nullopt);
  EXPECT_EQ(environment_proxy(parse_url("http://x.example.org")), std::nullopt);
  EXPECT_EQ(environment_proxy(parse_url("http://notinternal")), "http://127.0.0.1:9");
  Server server([](const Seen&) { return Answer{200, "straight", {}}; });
  EXPECT_EQ(get_one(server.url(), quick()).response.body, "straight");
  ::unsetenv("http_proxy");
  ::unsetenv("no_proxy");
}

TEST(Proxy, OneThatCannotBe) {
  Settings settings = quick();
  settings.proxy = "https://127.0.0.1:1";
  EXPECT_THROW(Client(parse_url("http://a"), settings), std::invalid_argument);
  settings.proxy = "somewhere";
  EXPECT_THROW(Client(parse_url("http://a"), settings), std::invalid_argument);
}

}  // namespace
