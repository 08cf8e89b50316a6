// An HTTP/1.1 client for many small requests to one server: plain or TLS, kept-alive connections, retries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/url.h"

namespace tenon::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Settings {
  std::chrono::duration<double> timeout{
      60};  // of one attempt, from its connection to the last byte of the answer
  std::chrono::duration<double> connect_timeout{
      10};                // of its connection and TLS handshake; a name look-up has the system's own limit
  uint32_t attempts = 4;  // at most, at least 1
  std::chrono::duration<double> backoff{
      0.5};  // before the second attempt; doubles with each one, times a random number in [0.5, 1]
  std::chrono::duration<double> max_backoff{30};
  uint32_t concurrency = 16;            // requests under way, and connections, at most
  uint64_t max_response = 16ull << 20;  // bytes of an answer's body
  bool verifies = true;                 // the server's certificate and its name
  std::string ca_file;                  // PEM; empty: the system's
  std::string proxy;  // "http://host:port"; empty: none. Environment variables are never read here
};

struct Response {
  uint32_t status = 0;  // 200
  std::string body;
};

struct Request {
  std::string method = "POST";
  std::string target;  // path and query on the client's server
  Headers headers;     // besides Host, User-Agent, Accept and Content-Length
  std::string body;
  // Why an answer of status 2xx is of no use, so that the request is tried again; nothing: it is fine. May be empty. It is called on the thread of `run`.
  std::function<std::optional<std::string>(const Response&)> fault;
  bool repeats_useless = true;  // false: an answer with a fault is the last one
};

enum class Failure { kNone, kTimedOut, kRefused, kFailed, kUseless, kStopped };

// What became of a request: a response with `failure` kNone, or why there is none that is of use. kTimedOut: no attempt had an answer in time (of the
// last one). kRefused: an answer of status 4xx that trying again would not change. kFailed: no connection, a broken one, or 5xx.
// kUseless: `fault` of the last answer. kStopped: `stop` said so.
struct Result {
  Failure failure = Failure::kNone;
  std::string
      why;  // of a failure, with the number of attempts; without the keys of the request's headers, should the server repeat them
  Response response;
  uint32_t attempts = 0;
};

// Keeps no state between calls but its settings. Any thread, also several at once.
class Client {
 public:
  // `server`: its scheme, host and port count. Throws std::invalid_argument for settings that cannot be, std::runtime_error for a
  // ca_file that cannot be read.
  Client(Url server, Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Runs all requests, `concurrency` at a time, and returns their results in order. Tried again, after a pause (Retry-After in seconds where the server
  // gives it, at most max_backoff), are connections that fail or break, time-outs, 408, 425, 429, 5xx, and answers with a `fault`. Redirects are not followed
  // (kRefused). `stop` is asked every 50 ms; true ends what is left as kStopped.
  std::vector<Result> run(const std::vector<Request>& requests, const std::function<bool()>& stop) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The proxy that the environment names for such a server (https_proxy or HTTPS_PROXY, http_proxy), if no_proxy does not exempt it; for a
// message or an option "environment". The client itself does not ask.
std::optional<std::string> environment_proxy(const Url& server);

}  // namespace tenon::http
