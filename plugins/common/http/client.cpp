// One coroutine for each connection takes requests off a shared list; all run on the thread of `run`.
// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <openssl/err.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cmath>
#include <random>
#include <stdexcept>

namespace tenon::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using boost::system::system_error;
using Seconds = std::chrono::duration<double>;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr auto kStopInterval = std::chrono::milliseconds(50);

std::chrono::nanoseconds nanoseconds(Seconds s) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(s);
}

}  // namespace

struct Client::State {
  Url server;
  Settings settings;
  std::optional<Url> proxy;
  mutable asio::ssl::context tls{asio::ssl::context::tls_client};
};

namespace {

// An attempt that failed and may be tried again, or not.
struct Fault {
  Failure failure;
  std::string why;
  bool is_final = false;
  std::optional<Seconds> retry_after = std::nullopt;
};

std::string text_of(const error_code& code) {
  if (code.category() == asio::error::get_ssl_category()) {
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(code.value()));
    return "TLS: " + std::string(reason != nullptr ? reason : "error " + std::to_string(code.value()));
  }
  return code.message();
}

// A text of the server that may be shown: some echo the key that they do not like.
std::string without_secrets(std::string text, const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (!beast::iequals(name, "Authorization") && !beast::iequals(name, "X-Api-Key") &&
        !beast::iequals(name, "Api-Key"))
      continue;
    const size_t space = value.find(' ');  // "Bearer KEY"
    const std::string secret = value.substr(space == std::string::npos ? 0 : space + 1);
    for (size_t at = text.find(secret); !secret.empty() && at != std::string::npos;
         at = text.find(secret, at))
      text.replace(at, secret.size(), "…");
  }
  return text;
}

// A connection to the server, plain or TLS, straight or through a proxy. Of one coroutine.
class Connection {
 public:
  Connection(asio::io_context& io, const Url& server, const Settings& settings,
             const std::optional<Url>& proxy, asio::ssl::context& tls)
      : io_(io), server_(server), settings_(settings), proxy_(proxy), tls_context_(tls) {}

  bool is_open() const { return plain_.has_value() || tls_.has_value(); }
  void close() {
    tls_.reset();
    plain_.reset();
    buffer_.clear();
  }

  // What is under way from now on must be done within so long.
  void expires_after(Seconds limit) { lowest().expires_after(nanoseconds(limit)); }

  asio::awaitable<void> open() {
    close();
    const Url& first = proxy_ ? *proxy_ : server_;
    asio::ip::tcp::resolver resolver(io_);
    const auto found = co_await resolver.async_resolve(first.host, first.port, asio::use_awaitable);
    if (server_.is_tls) {
      tls_.emplace(io_, tls_context_);
    } else {
      plain_.emplace(io_);
    }
    expires_after(settings_.connect_timeout);
    co_await lowest().async_connect(found, asio::use_awaitable);
    lowest().socket().set_option(asio::ip::tcp::no_delay(true));
    if (!server_.is_tls) co_return;
    if (proxy_) co_await tunnel();
    co_await handshake();
  }

  asio::awaitable<bhttp::response<bhttp::string_body>> exchange(
      const bhttp::request<bhttp::string_body>& request) {
    bhttp::response_parser<bhttp::string_body> parser;
    parser.body_limit(settings_.max_response);
    if (request.method() == bhttp::verb::head) parser.skip(true);
    if (tls_) {
      co_await bhttp::async_write(*tls_, request, asio::use_awaitable);
      co_await bhttp::async_read(*tls_, buffer_, parser, asio::use_awaitable);
    } else {
      co_await bhttp::async_write(*plain_, request, asio::use_awaitable);
      co_await bhttp::async_read(*plain_, buffer_, parser, asio::use_awaitable);
    }
    co_return parser.release();
  }

 private:
  beast::tcp_stream& lowest() { return tls_ ? beast::get_lowest_layer(*tls_) : *plain_; }

  asio::awaitable<void> handshake() {
    // A name for the server to choose its certificate by; an address is none.
    error_code not_an_address;
    asio::ip::make_address(server_.host, not_an_address);
    if (not_an_address && SSL_set_tlsext_host_name(tls_->native_handle(), server_.host.c_str()) != 1)
      throw std::runtime_error("TLS: the server's name cannot be set");
    if (settings_.verifies) tls_->set_verify_callback(asio::ssl::host_name_verification(server_.host));
    co_await tls_->async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  }

  asio::awaitable<void> tunnel() {
    const std::string to =
        (server_.host.find(':') == std::string::npos ? server_.host : "[" + server_.host + "]") + ":" +
        server_.port;
    bhttp::request<bhttp::empty_body> connect{bhttp::verb::connect, to, 11};
    connect.set(bhttp::field::host, to);
    co_await bhttp::async_write(lowest(), connect, asio::use_awaitable);
    bhttp::response_parser<bhttp::empty_body> parser;
    parser.skip(true);
    beast::flat_buffer buffer;
    co_await bhttp::async_read_header(lowest(), buffer, parser, asio::use_awaitable);
    if (parser.get().result() != bhttp::status::ok)
      throw std::runtime_error("the proxy answers " + std::to_string(parser.get().result_int()));
  }

  asio::io_context& io_;
  const Url& server_;
  const Settings& settings_;
  const std::optional<Url>& proxy_;
  asio::ssl::context& tls_context_;
  std::optional<beast::tcp_stream> plain_;
  std::optional<TlsStream> tls_;
  beast::flat_buffer buffer_;
};

// One call of Client::run.
class Batch {
 public:
  Batch(const Url& server, const Settings& settings, const std::optional<Url>& proxy, asio::ssl::context& tls,
        const std::vector<Request>& requests, const std::function<bool()>& stop)
      : server_(server),
        settings_(settings),
        proxy_(proxy),
        tls_(tls),
        requests_(requests),
        stop_(stop),
        results_(requests.size()),
        random_(std::random_device()()),
        stop_timer_(io_) {
    for (Result& result : results_) result = {Failure::kStopped, "stopped before an answer came", {}, 0};
  }

  std::vector<Result> run() {
    left_ = requests_.size();
    if (left_ == 0 || stop_()) return std::move(results_);
    const size_t workers = std::min<size_t>(settings_.concurrency, requests_.size());
    for (size_t i = 0; i < workers; ++i) asio::co_spawn(io_, work(), asio::detached);
    asio::co_spawn(io_, watch(), asio::detached);
    io_.run();
    return std::move(results_);
  }

 private:
  asio::awaitable<void> watch() {
    while (left_ > 0) {
      if (stop_()) {
        io_.stop();
        co_return;
      }
      stop_timer_.expires_after(kStopInterval);
      error_code cancelled;
      co_await stop_timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
  }

  asio::awaitable<void> work() {
    Connection connection(io_, server_, settings_, proxy_, tls_);
    while (next_ < requests_.size()) {
      const size_t i = next_++;
      co_await one(connection, i);
      if (--left_ == 0) stop_timer_.cancel();
    }
  }

  asio::awaitable<void> one(Connection& connection, size_t i) {
    Result& result = results_[i];
    bool was_kept_alive = false;
    while (true) {
      was_kept_alive = connection.is_open();
      const std::optional<Fault> fault = co_await attempt(connection, requests_[i], result.response);
      // The server may close a kept connection at any time: a fresh one costs no attempt.
      const bool is_stale = fault && was_kept_alive && fault->failure == Failure::kFailed &&
                            !connection.is_open() && result.response.status == 0;
      if (is_stale) continue;
      ++result.attempts;
      result.failure = fault ? fault->failure : Failure::kNone;
      result.why = fault ? why_of(requests_[i], *fault, result.attempts) : std::string();
      if (!fault || fault->is_final || result.attempts >= settings_.attempts) co_return;
      asio::steady_timer pause(io_, nanoseconds(pause_after(result.attempts, *fault)));
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  static std::string why_of(const Request& request, const Fault& fault, uint32_t attempts) {
    return without_secrets(fault.why, request.headers) +
           (attempts == 1 ? "" : " (" + std::to_string(attempts) + " attempts)");
  }

  Seconds pause_after(uint32_t attempts, const Fault& fault) {
    if (fault.retry_after) return std::min(*fault.retry_after, settings_.max_backoff);
    const double doubled = settings_.backoff.count() * std::pow(2.0, std::min(attempts - 1, 30u));
    return Seconds(std::min(doubled, settings_.max_backoff.count()) *
                   std::uniform_real_distribution<double>(0.5, 1)(random_));
  }

  // Nothing: `response` is fine. A status of 0 in it: none came.
  asio::awaitable<std::optional<Fault>> attempt(Connection& connection, const Request& request,
                                                Response& response) {
    response = {};
    std::optional<Fault> fault;
    try {
      if (!connection.is_open()) co_await connection.open();
      connection.expires_after(settings_.timeout);
      auto answer = co_await connection.exchange(message_of(request));
      if (!answer.keep_alive()) connection.close();
      response.status = answer.result_int();
      const auto field = [&](bhttp::field name) {
        return std::string(answer[name].data(), answer[name].size());
      };
      const std::string retry_after = field(bhttp::field::retry_after),
                        location = field(bhttp::field::location);
      response.body = std::move(answer.body());
      fault = fault_of(request, response, retry_after, location);
    } catch (const system_error& e) {
      connection.close();
      fault = fault_of(e.code());
    } catch (const std::exception& e) {
      connection.close();
      fault = Fault{Failure::kFailed, e.what()};
    }
    co_return fault;
  }

  Fault fault_of(const error_code& code) const {
    const std::string server = server_.authority();
    if (code == beast::error::timeout) return {Failure::kTimedOut, server + " did not answer in time"};
    if (code == bhttp::error::body_limit)
      return {Failure::kRefused,
              server + " answers more than " + std::to_string(settings_.max_response) + " bytes", true};
    if (code == bhttp::error::end_of_stream || code == asio::error::eof)
      return {Failure::kFailed, server + " closed the connection"};
    // A certificate does not get better by asking again.
    const bool is_tls = code.category() == asio::error::get_ssl_category();
    return {Failure::kFailed, server + ": " + text_of(code), is_tls};
  }

  static std::optional<Fault> fault_of(const Request& request, const Response& response,
                                       const std::string& retry_after, const std::string& location) {
    const uint32_t status = response.status;
    if (status >= 200 && status < 300) {
      if (!request.fault) return std::nullopt;
      const auto why = request.fault(response);
      return why ? std::optional(Fault{Failure::kUseless, *why, !request.repeats_useless}) : std::nullopt;
    }
    std::string why =
        "status " + std::to_string(status) + " of " + request.target.substr(0, request.target.find('?'));
    if (status >= 300 && status < 400 && !location.empty())
      why += ", to " + location.substr(0, 200) + ": redirects are not followed, give that address as the url";
    else if (!response.body.empty())
      why += ": " + response.body.substr(0, 200);
    const bool is_passing = status == 408 || status == 425 || status == 429 || status >= 500;
    if (!is_passing) return Fault{Failure::kRefused, why, true};
    Fault fault{Failure::kFailed, why};
    char* end = nullptr;
    const double seconds = std::strtod(retry_after.c_str(), &end);
    if (!retry_after.empty() && *end == '\0' && seconds >= 0) fault.retry_after = Seconds(seconds);
    return fault;
  }

  bhttp::request<bhttp::string_body> message_of(const Request& request) const {
    bhttp::request<bhttp::string_body> message;
    message.method_string(request.method);
    const bool is_absolute = proxy_ && !server_.is_tls;  // a plain proxy is told the whole address
    message.target(is_absolute ? "http://" + server_.authority() + request.target : request.target);
    message.version(11);
    message.set(bhttp::field::host, server_.authority());
    message.set(bhttp::field::user_agent, "tenon");
    message.set(bhttp::field::accept, "*/*");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    message.keep_alive(true);
    return message;
  }

  const Url& server_;
  const Settings& settings_;
  const std::optional<Url>& proxy_;
  asio::ssl::context& tls_;
  const std::vector<Request>& requests_;
  const std::function<bool()>& stop_;
  std::vector<Result> results_;
  std::minstd_rand random_;
  size_t next_ = 0, left_ = 0;
  asio::io_context io_{1};
  asio::steady_timer stop_timer_;
};

}  // namespace

Client::Client(Url server, Settings settings) : state_(std::make_unique<State>()) {
  if (settings.attempts == 0 || settings.concurrency == 0)
    throw std::invalid_argument("attempts and concurrency are at least 1");
  state_->server = std::move(server);
  state_->settings = std::move(settings);
  if (!state_->settings.proxy.empty()) {
    state_->proxy = parse_url(state_->settings.proxy);
    if (state_->proxy->is_tls)
      throw std::invalid_argument("a proxy is spoken to in plain HTTP: give http://host:port");
  }
  asio::ssl::context& tls = state_->tls;
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  tls.set_verify_mode(state_->settings.verifies ? asio::ssl::verify_peer : asio::ssl::verify_none);
  error_code code;
  if (!state_->settings.ca_file.empty()) {
    tls.load_verify_file(state_->settings.ca_file, code);
    if (code)
      throw std::runtime_error("certificates of " + state_->settings.ca_file +
                               " cannot be read: " + text_of(code));
  } else {
    tls.set_default_verify_paths(code);
  }
}

Client::~Client() = default;

std::vector<Result> Client::run(const std::vector<Request>& requests,
                                const std::function<bool()>& stop) const {
  return Batch(state_->server, state_->settings, state_->proxy, state_->tls, requests, stop).run();
}

namespace {

// Whether an entry of no_proxy, a host or a domain's end, covers the host.
bool is_exempt(const std::string& host, const std::string& list) {
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string entry = list.substr(at, end - at);
    entry.erase(std::remove(entry.begin(), entry.end(), ' '), entry.end());
    at = end + 1;
    if (entry.empty()) continue;
    if (entry == "*" || entry == host) return true;
    if (entry[0] != '.') entry.insert(0, ".");
    if (host.ends_with(entry)) return true;
  }
  return false;
}

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

std::optional<std::string> environment_proxy(const Url& server) {
  for (const char* name : {"no_proxy", "NO_PROXY"})
    if (const auto list = variable(name); list && is_exempt(server.host, *list)) return std::nullopt;
  if (!server.is_tls) return variable("http_proxy");
  const auto lower = variable("https_proxy");
  return lower ? lower : variable("HTTPS_PROXY");
}

}  // namespace tenon::http
